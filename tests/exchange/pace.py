"""What happens on the exchange by itself: strangers trade, and prices walk along scripted paths."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from decimal import Decimal

from tests.exchange.market import Market, Markets

DEEPEST = 10
"""Levels that strangers' trades reach."""


async def keep_trading(markets: Markets, every_s: float) -> None:
    """Put a trade on every tape now and then, at changing depth, buys and sells in turn.

    The deeper, the smaller: strategies such as Avellaneda's fit a decay to that and place nothing without one.
    """
    for count in itertools.count():
        await asyncio.sleep(every_s)
        is_sell, depth = count % 2 == 0, count * count % DEEPEST
        for market in list(markets.by_symbol.values()):
            price, quantity = market.reach(depth, is_sell=is_sell)
            markets.deal(market, price, quantity, is_sell=is_sell)


class Paths:
    """Prices on their way, one path for each market at most."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._walking: dict[str, asyncio.Task[None]] = {}

    def follow(self, market: Market, prices: Sequence[Decimal], every_s: float, *, repeat: bool) -> None:
        """Walk along `prices`, the first one at once; a path that was being walked is left."""
        self.leave(market)
        walk = self._walk(market, prices, every_s, repeat=repeat)
        self._walking[market.pair.symbol] = asyncio.create_task(walk)

    def leave(self, market: Market) -> None:
        """Stay at the price of the moment."""
        walking = self._walking.pop(market.pair.symbol, None)
        if walking is not None:
            walking.cancel()

    def close(self) -> None:
        for walking in self._walking.values():
            walking.cancel()

    async def _walk(self, market: Market, prices: Sequence[Decimal], every_s: float, *, repeat: bool) -> None:
        for price in itertools.cycle(prices) if repeat else prices:
            self._markets.move(market, price)
            await asyncio.sleep(every_s)
