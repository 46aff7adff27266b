"""Orders and their fills: the words that the venues share. No rules of matching here."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from tests.exchange.market import Pair


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class Wanted(msgspec.Struct, frozen=True):
    """An order as it is asked for. `price` of a market order: None. `position_side`, `reduce_only`: perpetuals."""

    pair: Pair
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None
    client_id: str
    position_side: str = "BOTH"
    reduce_only: bool = False


class Fill(msgspec.Struct, frozen=True):
    """One execution, whole or part of an order; `profit`: what a perpetual's closing realised, in the quote."""

    id: int
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    at_ms: int
    is_maker: bool
    profit: Decimal = Decimal(0)


class Order(msgspec.Struct):
    """An order from the moment the exchange took it; closed ones are kept for ever.

    `limit`: the price that its money is reserved at, which is the order's own or, of a market order, the book's.
    `leverage`: of its pair when the exchange took it; None on spot.
    """

    id: int
    account: str
    wanted: Wanted
    limit: Decimal
    placed_at_ms: int
    updated_at_ms: int
    status: Status = Status.NEW
    fills: list[Fill] = []
    leverage: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def filled_quote(self) -> Decimal:
        return sum((fill.quantity * fill.price for fill in self.fills), Decimal(0))

    @property
    def rest(self) -> Decimal:
        return self.wanted.quantity - self.filled


class Execution(StrEnum):
    """What happened to an order; the value is Binance's word for it."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"


class Report(msgspec.Struct, frozen=True):
    """News of one order for its owner; `fill` of a trade. `status`: what the order had become at that moment."""

    order: Order
    execution: Execution
    status: Status
    at_ms: int
    fill: Fill | None = None
