"""
Orders meet prices: place, fill, cancel. Knows neither HTTP nor JSON; how money moves is the settlement's affair.

Rule 1: an order that crosses the book is filled at once at the book's price, as a taker, whatever its size.
Rule 2: one that rests is filled at its own price as soon as the book reaches it, or when a test says so.
Rule 3: orders are never forgotten, and every use of a client's order id is counted.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from tests.exchange.accounts import Account, Accounts
from tests.exchange.market import BookChange, Market, Markets
from tests.exchange.orders import Execution, Fill, Order, OrderType, Report, Side, Status, Wanted
from tests.exchange.refusals import CANNOT_CANCEL, DUPLICATE, WOULD_TAKE, Refused


class Settled(msgspec.Struct, frozen=True):
    """What a fill cost, and what it realised."""

    commission: Decimal
    commission_asset: str
    profit: Decimal = Decimal(0)


class Settlement(Protocol):
    """How orders move an account's money."""

    def reserve(self, account: Account, order: Order) -> None:
        """Set aside what a new order may cost.

        Raises:
            Refused: it is not there.
        """

    def release(self, account: Account, order: Order) -> None:
        """Give back what is set aside for the part of an order that is not filled."""

    def settle(self, account: Account, order: Order, price: Decimal, quantity: Decimal) -> Settled:
        """Exchange what was set aside for what was bought."""


class Venue:
    """One place of trade, such as spot: its orders, on markets and accounts that it may share."""

    def __init__(
        self, markets: Markets, accounts: Accounts, settlement: Settlement, now_ms: Callable[[], int]
    ) -> None:
        self.markets = markets
        self.accounts = accounts
        self.orders: list[Order] = []
        self._open: dict[int, Order] = {}
        self.uses: Counter[str] = Counter()
        self._settlement = settlement
        self._now_ms = now_ms
        self._fill_ids = itertools.count(1)
        self._listeners: list[Callable[[Report], None]] = []
        markets.listen(self._on_change, lambda _: None)

    def listen(self, listener: Callable[[Report], None]) -> None:
        """Call `listener` with everything that happens to an order, in order."""
        self._listeners.append(listener)

    def place(self, account: Account, wanted: Wanted) -> Order:
        """Take an order, and fill it if the book allows that at once.

        Raises:
            Refused: a filter, the balance, a duplicate, or a maker's order that would take.
        """
        market = self.markets[wanted.pair.symbol]
        self.uses[wanted.client_id] += 1
        if any(order.wanted.client_id == wanted.client_id for order in self.open_orders(account)):
            raise Refused(DUPLICATE)
        crosses = _crosses(market, wanted.side, wanted.price)
        if wanted.type is OrderType.LIMIT_MAKER and crosses:
            raise Refused(WOULD_TAKE)
        limit = _best(market, wanted.side) if wanted.price is None else wanted.price
        wanted.pair.check(limit, wanted.quantity)
        now_ms = self._now_ms()
        order = Order(len(self.orders) + 1, account.name, wanted, limit, now_ms, now_ms)
        self._settlement.reserve(account, order)
        self.orders.append(order)
        self._open[order.id] = order
        self._tell(order, Execution.NEW)
        if crosses:
            self._execute(order, _best(market, wanted.side), order.rest, is_maker=False)
        return order

    def cancel(self, order: Order) -> None:
        """Take an order out of the market.

        Raises:
            Refused: it is closed.
        """
        if not order.is_open:
            raise Refused(CANNOT_CANCEL)
        self._settlement.release(self.accounts.by_name[order.account], order)
        order.status = Status.CANCELED
        self._tell(order, Execution.CANCELED)

    def fill(self, order: Order, quantity: Decimal | None = None) -> None:
        """Fill a resting order at its own price: whole, or as much as `quantity`."""
        self._execute(order, order.limit, min(quantity or order.rest, order.rest), is_maker=True)

    def find(
        self, account: Account, symbol: str, *, order_id: int | None = None, client_id: str | None = None
    ) -> Order | None:
        """The account's latest order of that id on that symbol."""
        for order in reversed(self.orders):
            is_meant = order.id == order_id or (order_id is None and order.wanted.client_id == client_id)
            if is_meant and order.account == account.name and order.wanted.pair.symbol == symbol:
                return order
        return None

    def open_orders(self, account: Account | None = None) -> list[Order]:
        return [order for order in self._open.values() if account is None or order.account == account.name]

    @property
    def duplicate_client_ids(self) -> dict[str, int]:
        """Client order ids that were sent more than once, and how often."""
        return {client_id: count for client_id, count in self.uses.items() if client_id and count > 1}

    def _on_change(self, change: BookChange) -> None:
        for order in self.open_orders():
            wanted = order.wanted
            if wanted.pair == change.market.pair and _crosses(change.market, wanted.side, order.limit):
                self.fill(order)

    def _execute(self, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool) -> None:
        account = self.accounts.by_name[order.account]
        settled = self._settlement.settle(account, order, price, quantity)
        fill = Fill(
            id=next(self._fill_ids),
            price=price,
            quantity=quantity,
            commission=settled.commission,
            commission_asset=settled.commission_asset,
            at_ms=self._now_ms(),
            is_maker=is_maker,
            profit=settled.profit,
        )
        order.fills.append(fill)
        order.status = Status.PARTIALLY_FILLED if order.rest else Status.FILLED
        self._tell(order, Execution.TRADE, fill)
        is_sell = (order.wanted.side is Side.BUY) == is_maker
        self.markets.deal(self.markets[order.wanted.pair.symbol], price, quantity, is_sell=is_sell)

    def _tell(self, order: Order, execution: Execution, fill: Fill | None = None) -> None:
        order.updated_at_ms = self._now_ms()
        if not order.is_open:
            del self._open[order.id]
        report = Report(order, execution, order.status, order.updated_at_ms, fill)
        for listener in self._listeners:
            listener(report)


def _best(market: Market, side: Side) -> Decimal:
    """The price that an order of that side gets at once."""
    return market.ask if side is Side.BUY else market.bid


def _crosses(market: Market, side: Side, price: Decimal | None) -> bool:
    if price is None:
        return True
    return price >= market.ask if side is Side.BUY else price <= market.bid
