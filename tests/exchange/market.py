"""
Pairs and their prices: what everybody sees. No orders and no accounts here. Pure: time comes in as an argument.

Rule 1: the book is made of the middle price and the spread alone; clients' own orders do not show in it.
Rule 2: every change has the next update id, so that a client can tell that it missed one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from tests.exchange.refusals import UNKNOWN_SYMBOL, Refused, filtered

LEVELS = 20
"""Price levels on each side of a book: enough for a strategy that looks for depth."""

STEP_PCT = Decimal("0.01")
"""Distance between two levels in percent of the middle price."""

LEVEL_QUOTE = Decimal(20_000)
"""Worth of the best level in the quote asset; the n-th level has n times as much."""


class Pair(msgspec.Struct, frozen=True):
    """A pair as the exchange lists it: prices are multiples of `tick`, quantities of `step`."""

    base: str
    quote: str
    tick: Decimal
    step: Decimal
    price: Decimal
    min_notional: Decimal = Decimal(5)

    @property
    def name(self) -> str:
        return f"{self.base}-{self.quote}"

    @property
    def symbol(self) -> str:
        return f"{self.base}{self.quote}"

    def check(self, price: Decimal, quantity: Decimal) -> None:
        """Refuse an order that does not pass the filters."""
        if not price.is_finite() or price <= 0 or price % self.tick:
            raise Refused(filtered("PRICE_FILTER"))
        if not quantity.is_finite() or quantity < self.step or quantity % self.step:
            raise Refused(filtered("LOT_SIZE"))
        if price * quantity < self.min_notional:
            raise Refused(filtered("NOTIONAL"))


PAIRS = (
    Pair("BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(60_000)),
    Pair("ETH", "USDT", Decimal("0.01"), Decimal("0.0001"), Decimal(2_000)),
    Pair("SOL", "USDT", Decimal("0.01"), Decimal("0.001"), Decimal(150)),
    Pair("ETH", "BTC", Decimal("0.00001"), Decimal("0.0001"), Decimal("0.03333"), Decimal("0.0001")),
)
"""What is traded if nobody says otherwise, with Binance's filters and round prices."""

Levels = list[tuple[Decimal, Decimal]]
"""(price, quantity), best first; quantity 0 means that the level is gone."""


class Market:
    """One pair's price, book and tape."""

    def __init__(self, pair: Pair, spread_pct: Decimal) -> None:
        self.pair = pair
        self.mid = pair.price
        self.spread_pct = spread_pct
        self.update_id = 1000
        self.trade_id = 0
        self.last_price = pair.price

    @property
    def bid(self) -> Decimal:
        return _whole(self.mid * (1 - self.spread_pct / 200), self.pair.tick, ROUND_FLOOR)

    @property
    def ask(self) -> Decimal:
        return _whole(self.mid * (1 + self.spread_pct / 200), self.pair.tick, ROUND_CEILING)

    def bids(self) -> Levels:
        return [(price, quantity) for price, quantity in self._levels(self.bid, -1) if price > 0]

    def asks(self) -> Levels:
        return self._levels(self.ask, 1)

    def reach(self, depth: int, *, is_sell: bool) -> tuple[Decimal, Decimal]:
        """Price and quantity of a trade that reaches `depth` levels into the book: half as much with each level."""
        levels = self.bids() if is_sell else self.asks()
        return levels[depth][0], _whole(levels[0][1] / 2**depth, self.pair.step, ROUND_CEILING)

    def _levels(self, best: Decimal, sign: int) -> Levels:
        gap = max(self.pair.tick, _whole(self.mid * STEP_PCT / 100, self.pair.tick, ROUND_FLOOR))
        lot = max(self.pair.step, _whole(self._level_base(), self.pair.step, ROUND_FLOOR))
        return [(best + sign * gap * index, lot * (index + 1)) for index in range(LEVELS)]

    def _level_base(self) -> Decimal:
        worth = LEVEL_QUOTE if self.mid > 1 else LEVEL_QUOTE * self.mid / 2_000
        return worth / self.mid


class BookChange(msgspec.Struct, frozen=True):
    """What changed in a book: the levels that are new or gone, and the update ids before and after."""

    market: Market
    before_id: int
    bids: Levels
    asks: Levels


class Deal(msgspec.Struct, frozen=True):
    """A line on the tape. `is_sell`: the buyer was there first, somebody sold to him."""

    market: Market
    trade_id: int
    price: Decimal
    quantity: Decimal
    is_sell: bool


class Markets:
    """All markets, and who wants to know when one moves or trades."""

    def __init__(self, pairs: Iterable[Pair], spread_pct: Decimal) -> None:
        self.by_symbol = {pair.symbol: Market(pair, spread_pct) for pair in pairs}
        self._on_change: list[Callable[[BookChange], None]] = []
        self._on_deal: list[Callable[[Deal], None]] = []

    def listen(self, on_change: Callable[[BookChange], None], on_deal: Callable[[Deal], None]) -> None:
        self._on_change.append(on_change)
        self._on_deal.append(on_deal)

    def __getitem__(self, symbol: str) -> Market:
        """The market of a symbol or a pair's name.

        Raises:
            Refused: there is none.
        """
        market = self.by_symbol.get(symbol.replace("-", ""))
        if market is None:
            raise Refused(UNKNOWN_SYMBOL)
        return market

    def move(self, market: Market, mid: Decimal, spread_pct: Decimal | None = None) -> None:
        """Set the price; what stands in its way is filled by those who listen."""
        before, before_id = (market.bids(), market.asks()), market.update_id
        market.mid = mid
        market.spread_pct = market.spread_pct if spread_pct is None else spread_pct
        market.update_id += 1
        bids, asks = _changed(before[0], market.bids()), _changed(before[1], market.asks())
        for listener in self._on_change:
            listener(BookChange(market, before_id, bids, asks))

    def deal(self, market: Market, price: Decimal, quantity: Decimal, *, is_sell: bool) -> None:
        """Put a trade on the tape."""
        market.trade_id += 1
        market.last_price = price
        for listener in self._on_deal:
            listener(Deal(market, market.trade_id, price, quantity, is_sell))


def _changed(before: Levels, after: Levels) -> Levels:
    stays = {price for price, _ in after}
    gone = [(price, Decimal(0)) for price, _ in before if price not in stays]
    return gone + after


def _whole(value: Decimal, unit: Decimal, rounding: str) -> Decimal:
    return (value / unit).to_integral_value(rounding) * unit
