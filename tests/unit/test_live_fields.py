"""Which fields of the older market making strategies change while they run (reconciler/agent/hummingbot/within/legacy.py)."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.agent.hummingbot.within.legacy import LIVE

PURE, PERPETUAL = LIVE["PureMarketMakingStrategy"], LIVE["PerpetualMarketMakingStrategy"]

SPLIT = {
    "split_order_levels_enabled": True,
    "bid_order_level_spreads": "1,2",
    "bid_order_level_amounts": "10,20",
    "ask_order_level_spreads": "3",
    "ask_order_level_amounts": "30,40",
    "order_override": None,
}


def strategy(**attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(moving_price_band=SimpleNamespace(), **attributes)


def test_a_field_in_percent_is_a_fraction_in_the_strategy_and_percent_again_when_told() -> None:
    maker = strategy()
    PURE["bid_spread"].write(maker, {"bid_spread": Decimal("0.3")})

    assert maker.bid_spread == Decimal("0.003")
    assert PURE["bid_spread"].read(maker, {}) == Decimal("0.3")


def test_a_field_that_is_no_percentage_is_as_it_is() -> None:
    maker = strategy()
    PURE["order_refresh_time"].write(maker, {"order_refresh_time": 30.0})

    assert (maker.order_refresh_time, PURE["order_refresh_time"].read(maker, {})) == (30.0, 30.0)


def test_the_price_band_has_its_own_fields() -> None:
    maker = strategy()
    PURE["price_ceiling_pct"].write(maker, {"price_ceiling_pct": Decimal(3)})
    PURE["moving_price_band_enabled"].write(maker, {"moving_price_band_enabled": True})

    assert vars(maker.moving_price_band) == {"price_ceiling_pct": Decimal(3), "enabled": True}


def test_split_levels_become_the_strategys_override_as_far_as_each_has_an_amount() -> None:
    maker = strategy()
    PURE["split_order_levels_enabled"].write(maker, SPLIT)

    assert maker.order_override == {
        "split_level_0": ["buy", 1, 10],
        "split_level_1": ["buy", 2, 20],
        "split_level_2": ["sell", 3, 30],
    }


def test_split_levels_are_told_only_while_the_strategy_has_them() -> None:
    maker = strategy(order_override={})
    told = {**SPLIT, "split_order_levels_enabled": False, "order_override": {"a": ["buy", 1, 2]}}

    assert PURE["order_override"].read(maker, told) is None
    PURE["order_override"].write(maker, told)
    assert PURE["order_override"].read(maker, told) == {"a": ["buy", 1, 2]}
    assert PURE["bid_order_level_spreads"].read(maker, told) == "1,2"


@pytest.mark.parametrize("given", [None, {}])
def test_no_override_is_an_empty_one(given: object) -> None:
    maker = strategy()
    PURE["order_override"].write(
        maker, {**SPLIT, "split_order_levels_enabled": False, "order_override": given}
    )

    assert maker.order_override == {}


def test_a_field_that_nobody_looks_at_is_what_was_told() -> None:
    maker = strategy()
    PURE["inventory_price"].write(maker, {"inventory_price": 5})

    assert PURE["inventory_price"].read(maker, {"inventory_price": 5}) == 5


@pytest.mark.parametrize(
    ("fields", "name"), [(PURE, name) for name in PURE] + [(PERPETUAL, name) for name in PERPETUAL]
)
def test_what_is_written_is_read_back(fields: Any, name: str) -> None:
    maker = strategy()
    value: Any = {"a": ["buy", 1, 2]} if name == "order_override" else Decimal("1.25")
    told = {**SPLIT, "split_order_levels_enabled": False, name: value}
    if name.endswith(("_spreads", "_amounts")):
        told[name] = value = "1.25"
    fields[name].write(maker, told)

    assert fields[name].read(maker, told) == value


@pytest.mark.parametrize(
    "name",
    [
        "max_order_age",
        "minimum_spread",
        "ping_pong_enabled",
        "ask_order_optimization_depth",
        "bid_order_optimization_depth",
        "should_wait_order_cancel_confirmation",
        "exchange",
        "market",
        "price_source",
    ],
)
def test_what_pure_market_making_cannot_change_is_not_claimed(name: str) -> None:
    assert name not in PURE
