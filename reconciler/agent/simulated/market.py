"""
The market of a simulated bot as a random walk, and what a market maker earns in it.

Rule 1: no clock: elapsed time comes in as an argument, and all chance from the generator that is passed in.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Any

from reconciler.model.spec import Config
from reconciler.protocol.messages import Performance, Position

_START_PRICE = 100.0
_VOLATILITY = 0.0006
"""Of the price, in the square root of a second: about 10 % in eight hours, a lively market."""

_FILLS_PER_S = 0.4
_FILL_DECAY_PCT = 0.4
"""Fills a second at no spread, and the spread at which they are down to 1/e: tight quotes trade more."""

_FEE = 0.0004
_DEFAULT_SPREAD_PCT = 0.5


class RandomWalk:
    """Price, fills and profit of one bot; its config's `bid_spread`, `ask_spread` and `order_amount` matter."""

    def __init__(self, config: Config, rng: random.Random) -> None:
        self._rng = rng
        self._price = _START_PRICE
        self._base = 0.0
        self._entry = _START_PRICE
        self._realized = 0.0
        self._volume = 0.0
        self._fees = 0.0
        self.fills = 0
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Trade with `config` from now on."""
        self._bid_pct = _number(config.get("bid_spread"), _DEFAULT_SPREAD_PCT)
        self._ask_pct = _number(config.get("ask_spread"), _DEFAULT_SPREAD_PCT)
        self._amount = _number(config.get("order_amount"), 1.0)

    def advance(self, elapsed_s: float) -> int:
        """Advance the market by `elapsed_s`; return how many orders were filled."""
        self._price *= math.exp(self._rng.gauss(0.0, _VOLATILITY * math.sqrt(elapsed_s)))
        bought = self._fills(self._bid_pct, elapsed_s)
        sold = self._fills(self._ask_pct, elapsed_s)
        self._trade(bought, self._price * (1 - self._bid_pct / 100))
        self._trade(-sold, self._price * (1 + self._ask_pct / 100))
        self.fills += bought + sold
        return bought + sold

    def _fills(self, spread_pct: float, elapsed_s: float) -> int:
        expected = _FILLS_PER_S * math.exp(-spread_pct / _FILL_DECAY_PCT) * elapsed_s
        whole = int(expected)
        return whole + (self._rng.random() < expected - whole)

    def _trade(self, orders: int, price: float) -> None:
        """Fill `orders` at `price`, sells negative; what closes the position realizes its profit."""
        amount = orders * self._amount
        before, after = self._base, self._base + amount
        if before * amount < 0:
            closed = before if abs(amount) > abs(before) else -amount
            self._realized += closed * (price - self._entry)
            self._entry = price if before * after < 0 else self._entry
        elif after:
            self._entry = (before * self._entry + amount * price) / after
        self._base = after
        self._volume += abs(amount) * price
        self._fees += abs(amount) * price * _FEE

    def performance(self, name: str, timestamp: str, exchange: str, trading_pair: str) -> Performance:
        """Report the bot's performance in the shape of the wire."""
        unrealized = self._base * (self._price - self._entry)
        position = Position(
            exchange=exchange,
            trading_pair=trading_pair,
            side="long" if self._base > 0 else "short",
            amount=_exact(abs(self._base)),
            breakeven_price=_exact(self._entry),
            unrealized_pnl_quote=_exact(unrealized),
        )
        return Performance(
            strategy_name=name,
            timestamp=timestamp,
            realized_pnl_quote=_exact(self._realized),
            unrealized_pnl_quote=_exact(unrealized),
            net_pnl_quote=_exact(self._realized + unrealized - self._fees),
            volume_quote=_exact(self._volume),
            fees_quote=_exact(self._fees),
            open_orders=2,
            positions=(position,) if self._base else (),
        )


def _number(value: Any, otherwise: float) -> float:  # noqa: ANN401  (any value of a config)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return float(value)
    return otherwise


def _exact(value: float) -> Decimal:
    return Decimal(f"{value:.8f}")
