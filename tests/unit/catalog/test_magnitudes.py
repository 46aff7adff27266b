"""Numbers that are too large for their unit: an error if no reading makes sense, else a warning with both readings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.catalog.loading import load_catalog


def found(kind: str, **config: Any) -> list[tuple[str, str, str, bool]]:
    return [
        (".".join(map(str, large.path)), large.what, large.fix, large.is_error)
        for large in load_catalog().too_large(kind, config)
    ]


def test_a_percentage_in_a_fractions_field_is_a_warning_with_both_readings() -> None:
    assert found("pmm_simple", stop_loss=3, take_profit=Decimal("1.5")) == [
        (
            "stop_loss",
            "3 means 300 %, not 3 %",
            "if 3 % was meant, write 0.03 or 3%; if not, write 300% to say so",
            False,
        ),
        (
            "take_profit",
            "1.5 means 150 %, not 1.5 %",
            "if 1.5 % was meant, write 0.015 or 1.5%; if not, write 150% to say so",
            False,
        ),
    ]


@pytest.mark.parametrize("value", [[Decimal("0.2"), 1], "0.2,1", "0.2 , 1.0"])
def test_a_buy_a_whole_price_below_the_price_is_named(value: list[object] | str) -> None:
    ((_, what, fix, is_error),) = found("pmm_simple", buy_spreads=value)

    assert what == "1 means 100 %, a buy at a price of 0 or below, not 1 %"
    assert fix == "if 1 % was meant, write 0.01"
    assert not is_error


@pytest.mark.parametrize(
    ("kind", "config", "path"),
    [
        ("pmm_simple", {"trailing_stop": {"activation_price": 2, "trailing_delta": 0}}, "activation_price"),
        ("pmm_simple", {"trailing_stop": "0.01,2"}, "trailing_stop"),
        ("grid_strike", {"triple_barrier_config": {"stop_loss": 2, "time_limit": 600}}, "stop_loss"),
        (
            "grid_strike",
            {"triple_barrier_config": {"trailing_stop": {"trailing_delta": 2}}},
            "trailing_delta",
        ),
        ("quantum_grid_allocator", {"portfolio_allocation": {"SOL": 2}}, "SOL"),
        ("dman_maker_v2", {"dca_spreads": [0, 2]}, "1"),
        ("stat_arb", {"sl_global": 2}, "sl_global"),
        ("pmm_mister", {"target_base_pct": 2}, "target_base_pct"),
        ("hedge", {"slippage": 2}, "slippage"),
    ],
)
def test_every_fraction_is_looked_at_wherever_it_stands(kind: str, config: dict[str, Any], path: str) -> None:
    ((where, what, _, is_error),) = found(kind, **config)

    assert where.split(".")[-1] == path
    assert what == "2 means 200 %, not 2 %"
    assert not is_error


@pytest.mark.parametrize(
    ("kind", "config", "what"),
    [
        ("pmm_simple", {"sell_spreads": [Decimal("10000.0")]}, "10000 means 1,000,000 %"),
        ("pmm_simple", {"stop_loss": "10000%"}, "100 means 10,000 %"),
        ("pmm_dynamic", {"buy_spreads": [10_000]}, "10000 is 10,000 times the volatility"),
        ("amm_arb", {"min_profitability": 10_000}, "10000 means 10,000 %"),
    ],
)
def test_what_is_a_slip_in_every_reading_is_an_error(kind: str, config: dict[str, Any], what: str) -> None:
    assert [(each, is_error) for _, each, _, is_error in found(kind, **config)] == [(what, True)]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (
            "pmm_simple",
            {"stop_loss": "300%", "take_profit": Decimal("0.99"), "leverage": 20, "time_limit": 900},
        ),
        ("pmm_simple", {"buy_amounts_pct": [50, 50], "buy_spreads": [Decimal("0.999")], "stop_loss": None}),
        ("pmm_simple", {"stop_loss": True, "buy_spreads": ["x", None, {"a": []}], "trailing_stop": "x,y"}),
        ("pmm_dynamic", {"buy_spreads": [1, 2, 40]}),
        ("pmm_mister", {"target_base_pct": 1, "max_base_pct": 1}),
        ("grid_strike", {"activation_bounds": 1, "start_price": 70_000}),
        ("hedge", {"hedge_ratio": 2}),
        ("pure_market_making", {"bid_spread": 50, "price_ceiling_pct": 100_000}),
    ],
)
def test_what_may_be_meant_is_not_reported(kind: str, config: dict[str, Any]) -> None:
    assert found(kind, **config) == []
