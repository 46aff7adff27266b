"""How tests rule the exchange: under /control, JSON in and out, no key needed. See docs/testing-exchange.md."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tests.exchange.accounts import account
from tests.exchange.faults import Delaying, Refusing
from tests.exchange.refusals import Refusal, Refused
from tests.exchange.requests import Operation
from tests.exchange.views import order_view

if TYPE_CHECKING:
    from tests.exchange.server import Exchange


class WrongControl(Exception):
    """A control that says nothing sensible; the message says what, and how to fix it."""


class _Control(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a control."""


class SetPrice(_Control):
    """The middle price of a pair, and its spread in percent of it."""

    pair: str
    mid: Decimal
    spread_pct: Decimal | None = None


class SetPath(_Control):
    """Prices to walk along, one every `every_s` seconds; over and over if `repeat`."""

    pair: str
    prices: list[Decimal]
    every_s: float = 1.0
    repeat: bool = False


class FillOrder(_Control):
    """Fill an open order at its own price: all that is left, or `quantity` of it."""

    client_id: str
    quantity: Decimal | None = None


class Refuse(_Control):
    """Answer the next `times` requests (null: all) of a kind with an error; see faults.Refusing."""

    operation: Operation = Operation.ANY
    code: int = -1000
    message: str = "An unknown error occurred while processing the request."
    status: int = 400
    times: int | None = 1
    carried_out: bool = False


class Delay(_Control):
    """Answer requests of a kind later; see faults.Delaying."""

    seconds: float
    operation: Operation = Operation.ANY
    times: int | None = None


class SetBalance(_Control):
    """What an account has free of an asset; what is locked stays locked."""

    asset: str
    free: Decimal
    account: str = "default"


class OpenAccount(_Control):
    """One more account."""

    name: str
    api_key: str
    api_secret: str
    balances: dict[str, Decimal] | None = None


class Nothing(_Control):
    """A control that needs no more said."""


class Controls:
    """Carries controls out on an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._posts: dict[str, Callable[[bytes], object]] = {
            "price": _reading(SetPrice, self.price),
            "path": _reading(SetPath, self.path),
            "fill": _reading(FillOrder, self.fill),
            "refuse": _reading(Refuse, self.refuse),
            "delay": _reading(Delay, self.delay),
            "clear": _reading(Nothing, lambda _: self._exchange.faults.clear()),
            "disconnect": _reading(Nothing, lambda _: {"connections": self._exchange.lines.cut()}),
            "down": _reading(Nothing, lambda _: self._exchange.go_down()),
            "up": _reading(Nothing, lambda _: self._exchange.come_up()),
            "balance": _reading(SetBalance, self.balance),
            "account": _reading(OpenAccount, self.open_account),
        }

    def post(self, name: str, body: bytes) -> object:
        """Carry out one control.

        Raises:
            WrongControl: there is none of that name, or its body is wrong.
        """
        if name not in self._posts:
            raise WrongControl(f"no control {name!r}: use one of {', '.join(self._posts)}")
        try:
            return self._posts[name](body)
        except Refused as refused:
            raise WrongControl(f"{name}: {refused}") from None

    def price(self, control: SetPrice) -> None:
        market = self._exchange.markets[control.pair]
        _check_prices([control.mid])
        self._exchange.paths.leave(market)
        self._exchange.markets.move(market, control.mid, control.spread_pct)

    def path(self, control: SetPath) -> None:
        market = self._exchange.markets[control.pair]
        _check_prices(control.prices)
        self._exchange.paths.follow(market, control.prices, control.every_s, repeat=control.repeat)

    def fill(self, control: FillOrder) -> object:
        for name, venue in self._exchange.venues.items():
            for order in venue.open_orders():
                if order.wanted.client_id == control.client_id:
                    venue.fill(order, control.quantity)
                    return order_view(name, order)
        raise WrongControl(
            f"fill: no open order has client_id {control.client_id!r}: see GET /control/orders"
        )

    def refuse(self, control: Refuse) -> None:
        refusal = Refusal(control.code, control.message, control.status)
        self._exchange.faults.add(
            Refusing(control.operation, refusal, control.times, carried_out=control.carried_out)
        )

    def delay(self, control: Delay) -> None:
        self._exchange.faults.add(Delaying(control.operation, control.seconds, control.times))

    def balance(self, control: SetBalance) -> None:
        owner = self._exchange.accounts.by_name.get(control.account)
        if owner is None:
            known = ", ".join(self._exchange.accounts.by_name)
            raise WrongControl(f"balance: no account {control.account!r}: use one of {known}")
        owner.balance(control.asset).free = control.free

    def open_account(self, control: OpenAccount) -> None:
        self._exchange.accounts.add(
            account(control.name, control.api_key, control.api_secret, control.balances)
        )


def _check_prices(prices: list[Decimal]) -> None:
    for price in prices:
        if not price.is_finite() or price <= 0:
            raise WrongControl(f"{price} is no price: use a number above 0")


def _reading(kind: Any, work: Callable[[Any], object]) -> Callable[[bytes], object]:
    def read(body: bytes) -> object:
        try:
            control = msgspec.json.decode(body or b"{}", type=kind)
        except msgspec.DecodeError as error:
            raise WrongControl(f"{error}: the fields are {', '.join(kind.__struct_fields__)}") from None
        return work(control)

    return read
