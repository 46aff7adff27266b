"""What a simulated bot earns."""

from __future__ import annotations

import random
from decimal import Decimal

from reconciler.agent.simulated.market import RandomWalk
from tests.support.agent_builders import CONFIG


def test_tight_spreads_trade_more() -> None:
    def fills(spread: str) -> int:
        walk = RandomWalk({"bid_spread": Decimal(spread), "ask_spread": Decimal(spread)}, random.Random(3))
        return sum(walk.advance(5.0) for _ in range(200))

    assert fills("0.1") > 2 * fills("0.8")


def test_profit_is_what_was_realized_and_what_is_open_less_fees() -> None:
    walk = RandomWalk(CONFIG, random.Random(3))
    for _ in range(100):
        walk.advance(5.0)

    figures = walk.performance("mm", "2026-11-23T05:00:00Z", "binance", "BTC-USDT")

    parts = (
        figures.realized_pnl_quote,
        figures.unrealized_pnl_quote,
        figures.net_pnl_quote,
        figures.fees_quote,
    )
    realized, unrealized, net, fees = (Decimal(part or 0) for part in parts)
    assert fees > 0
    assert abs(realized + unrealized - fees - net) <= Decimal("0.00000003")
