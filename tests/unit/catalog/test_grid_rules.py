"""A grid is held to what Hummingbot's grid executor takes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.catalog.loading import load_catalog

GRID = {"start_price": 84000, "end_price": 84300, "side": 1, "limit_price": 83000}


def broken(kind: str, **config) -> list[tuple[str, str]]:
    config = {"position_mode": "ONEWAY", **config}
    found = load_catalog().relations(kind, config, exchange="binance_perpetual", trading_pair="BTC-USDT")
    assert all(violation.fix for violation in found)
    return [(".".join(map(str, violation.path)), violation.what) for violation in found]


def grid(**change) -> list[str]:
    alone = [field for field, _ in broken("grid_strike", **{**GRID, **change})]
    one = {"grid_id": "a", "amount_quote_pct": Decimal("0.5"), **GRID, **change}
    many = [field for field, _ in broken("multi_grid_strike", grids=[one])]
    assert many == [f"grids.0.{field}" for field in alone]
    assert broken("multi_grid_strike", grids=[one | {"enabled": False}]) == []
    return alone


@pytest.mark.parametrize(
    ("side", "limit", "good"),
    [
        (1, 83999, True),
        (1, 0, True),
        (1, 84000, False),
        (1, 84100, False),
        (1, 84600, False),
        (2, Decimal("84300.01"), True),
        (2, 0, True),
        (2, 84300, False),
        (2, 84100, False),
        (2, 83700, False),
        (1, -1, False),
    ],
)
def test_the_limit_lies_beyond_the_losing_edge_or_is_off(side: int, limit: int, *, good: bool) -> None:
    assert grid(side=side, limit_price=limit) == ([] if good else ["limit_price"])


def test_a_grid_buys_or_sells() -> None:
    assert grid(side=3) == ["side"]


def test_the_start_is_the_bottom_and_above_zero() -> None:
    assert grid(start_price=84300) == ["start_price"]
    assert grid(start_price=84400) == ["start_price"]
    assert grid(start_price=0, limit_price=0) == ["start_price"]


@pytest.mark.parametrize("name", ["start_price", "end_price", "limit_price"])
def test_each_price_of_a_grid_must_be_written(name: str) -> None:
    config = {field: value for field, value in GRID.items() if field != name}

    assert broken("grid_strike", **config) == [
        (name, "must be written: Hummingbot's default is a price of one cheap coin")
    ]


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("total_amount_quote", 0, 1),
        ("min_spread_between_orders", 0, Decimal("0.001")),
        ("min_spread_between_orders", None, Decimal("0.001")),
        ("min_order_amount_quote", 0, 5),
        ("max_orders_per_batch", 0, None),
        ("order_frequency", -1, 0),
        ("activation_bounds", 0, None),
    ],
)
def test_other_fields_are_held_to_the_executors_validators(name: str, bad, good) -> None:
    for kind in ("grid_strike", "multi_grid_strike"):
        prices = GRID if kind == "grid_strike" else {}
        assert [field for field, _ in broken(kind, **prices, **{name: bad})] == [name]
        assert broken(kind, **prices, **{name: good}) == []


def test_a_grid_with_no_share_of_the_amount_is_none() -> None:
    one = {"grid_id": "a", "amount_quote_pct": 0, **GRID}

    assert [field for field, _ in broken("multi_grid_strike", grids=[one])] == ["grids.0.amount_quote_pct"]
