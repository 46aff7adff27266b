"""Positions on margin: what a perpetual's fills do to an account. Pure; funding is never paid, nobody is liquidated.

Rule 1: margin is worked out from positions and open orders whenever it is asked for; nothing moves.
Rule 2: one-way accounts have one position a pair, side BOTH; hedging ones a LONG and a SHORT.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from tests.exchange.accounts import Account
from tests.exchange.market import Markets
from tests.exchange.orders import Order
from tests.exchange.refusals import (
    HAS_POSITIONS,
    NO_MARGIN,
    NOTHING_TO_REDUCE,
    SAME_POSITION_MODE,
    WRONG_POSITION_SIDE,
    Refused,
)
from tests.exchange.venue import Settled

FEE = Decimal("0.0004")
"""About Binance's fee for takers of perpetuals, taken in the quote asset."""

DEPOSIT = Decimal(1_000_000)
"""Margin in each quote asset that a new account finds."""

LEVERAGE = 20
"""Binance's leverage of a pair that nobody set."""


class Position(msgspec.Struct):
    """`amount` is negative for a short one; `entry`: its average price."""

    symbol: str
    side: str
    amount: Decimal = Decimal(0)
    entry: Decimal = Decimal(0)

    def add(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Buy (`quantity` > 0) or sell; what closing has realised, in the quote asset."""
        profit = Decimal(0)
        if quantity * self.amount < 0:
            closed = min(abs(quantity), abs(self.amount))
            profit = closed * (price - self.entry) * (1 if self.amount > 0 else -1)
        before, self.amount = self.amount, self.amount + quantity
        if before * self.amount <= 0:
            self.entry = price if self.amount else Decimal(0)
        elif abs(self.amount) > abs(before):
            self.entry = (before * self.entry + quantity * price) / self.amount
        return profit

    def profit_at(self, price: Decimal) -> Decimal:
        return self.amount * (price - self.entry)


class Margin:
    """One account's wallet, positions and settings on the perpetuals."""

    def __init__(self, quotes: Iterable[str]) -> None:
        self.wallet = dict.fromkeys(quotes, DEPOSIT)
        self.is_hedging = False
        self.leverage: dict[str, int] = {}
        self.positions: dict[tuple[str, str], Position] = {}

    def position(self, symbol: str, side: str) -> Position:
        return self.positions.setdefault((symbol, side), Position(symbol, side))

    def leverage_of(self, symbol: str) -> int:
        return self.leverage.get(symbol, LEVERAGE)

    def set_hedging(self, *, is_hedging: bool) -> None:
        """Change the position mode.

        Raises:
            Refused: it is so already, or there are positions.
        """
        if is_hedging == self.is_hedging:
            raise Refused(SAME_POSITION_MODE)
        if any(position.amount for position in self.positions.values()):
            raise Refused(HAS_POSITIONS)
        self.is_hedging = is_hedging
        self.positions.clear()


class PerpetualSettlement:
    """Fills change positions; profit and fees go to the wallet."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._open: dict[int, Order] = {}
        self._margins: dict[str, Margin] = {}

    def margin(self, account: Account) -> Margin:
        return self.margin_of(account.name)

    def margin_of(self, account_name: str) -> Margin:
        quotes = {market.pair.quote for market in self._markets.by_symbol.values()}
        return self._margins.setdefault(account_name, Margin(sorted(quotes)))

    def available(self, account: Account, quote: str) -> Decimal:
        """What is left of the wallet for new orders; losses not realised count, profits do not."""
        margin = self.margin(account)
        left = margin.wallet[quote]
        for position in margin.positions.values():
            market = self._markets[position.symbol]
            if market.pair.quote == quote:
                left -= abs(position.amount) * market.mid / margin.leverage_of(position.symbol)
                left += min(position.profit_at(market.mid), Decimal(0))
        for order in self._open.values():
            if order.account == account.name and order.wanted.pair.quote == quote:
                left -= self._needed(margin, order)
        return left

    def reserve(self, account: Account, order: Order) -> None:
        wanted, margin = order.wanted, self.margin(account)
        if (wanted.position_side == "BOTH") == margin.is_hedging:
            raise Refused(WRONG_POSITION_SIDE)
        if wanted.reduce_only and not self._reduces(margin, order):
            raise Refused(NOTHING_TO_REDUCE)
        if self._needed(margin, order) > self.available(account, wanted.pair.quote):
            raise Refused(NO_MARGIN)
        order.leverage = margin.leverage_of(wanted.pair.symbol)
        self._open[order.id] = order

    def release(self, account: Account, order: Order) -> None:
        del self._open[order.id]

    def settle(self, account: Account, order: Order, price: Decimal, quantity: Decimal) -> Settled:
        wanted, margin = order.wanted, self.margin(account)
        position = margin.position(wanted.pair.symbol, wanted.position_side)
        profit = position.add(wanted.side.sign * quantity, price)
        commission = (price * quantity * FEE).quantize(Decimal("1e-8"))
        margin.wallet[wanted.pair.quote] += profit - commission
        if quantity == order.rest:
            del self._open[order.id]
        return Settled(commission, wanted.pair.quote, profit)

    def _needed(self, margin: Margin, order: Order) -> Decimal:
        if self._reduces(margin, order):
            return Decimal(0)
        return order.rest * order.limit / margin.leverage_of(order.wanted.pair.symbol)

    def _reduces(self, margin: Margin, order: Order) -> bool:
        """Whether an order makes its position smaller and does not turn it."""
        wanted = order.wanted
        amount = margin.position(wanted.pair.symbol, wanted.position_side).amount
        return amount * wanted.side.sign < 0 and order.rest <= abs(amount)
