"""Any number of marks before a pass make one pass; silence makes one over everything."""

from __future__ import annotations

from decimal import Decimal

from reconciler.desired import changed_keys
from reconciler.model.spec import Key, StrategySpec, Wish
from reconciler.model.state import Desired
from reconciler.service import Triggers

BTC = Key("default", "btc")
ETH = Key("default", "eth")


def spec(name, **more):
    config = {"bid_spread": Decimal("0.1")}
    return StrategySpec(name, "pure_market_making", "binance", "BTC-USDT", config, **more)


def desired(*specs, held=()):
    return Desired("c0ffee", "main", {s.key: s for s in specs}, held=frozenset(held))


async def test_marks_of_single_strategies_add_up() -> None:
    triggers = Triggers()

    triggers.some({BTC})
    triggers.some({ETH})
    await triggers.wait(60)

    assert triggers.take() == frozenset({BTC, ETH})


async def test_a_mark_of_everything_swallows_single_ones() -> None:
    triggers = Triggers()

    triggers.some({BTC})
    triggers.whole()

    assert triggers.take() is None


async def test_taking_clears_the_marks() -> None:
    triggers = Triggers()
    triggers.some({BTC})

    triggers.take()

    assert triggers.take() == frozenset()


async def test_news_of_bots_waits_a_moment_for_more() -> None:
    triggers = Triggers()

    triggers.soon({BTC})
    triggers.soon({ETH})
    await triggers.wait(60)

    assert triggers.take() == frozenset({BTC, ETH})


async def test_when_time_runs_out_everything_is_looked_at() -> None:
    triggers = Triggers()

    await triggers.wait(0)

    assert triggers.take() is None


def test_only_strategies_that_two_revisions_want_differently_need_a_look() -> None:
    before = desired(spec("btc"), spec("eth"), spec("gone"))
    after = desired(spec("btc"), spec("eth", state=Wish.PAUSED), spec("new"))

    assert {key.name for key in changed_keys(before, after)} == {"eth", "gone", "new"}


def test_a_strategy_that_becomes_held_needs_a_look() -> None:
    assert changed_keys(desired(spec("btc")), desired(held=[BTC])) == {BTC}
