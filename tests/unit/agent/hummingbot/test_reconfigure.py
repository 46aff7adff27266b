"""The configuration sent to a bot against the one it runs with (reconciler/agent/hummingbot/reconfigure.py)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.agent.hummingbot.reconfigure import changed_fields, is_controller, is_same, not_taken
from reconciler.catalog.loading import load_catalog
from tests.support.agent_builders import CONFIG, strategy

SAME = [
    (Decimal("0.10"), 0.1),
    ("0.1", Decimal("0.10")),
    (0.1 + 0.2, "0.3"),
    (True, "True"),
    (None, ""),
    ("0.01,0.02", [0.01, Decimal("0.02")]),
    ("", []),
    ({"a": 1, "b": [2]}, {"b": ["2"], "a": Decimal(1)}),
]
OTHER = [
    (0.1, 0.11),
    (True, 1),
    (None, 0),
    ("0.01", "0.01,0.02"),
    ({"a": 1}, {"a": 1, "b": 2}),
    ("BUY", "SELL"),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=str)
def test_values_that_mean_the_same_are_no_change(one: object, other: object) -> None:
    assert is_same(one, other)
    assert is_same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER, ids=str)
def test_values_that_mean_something_else_are_one(one: object, other: object) -> None:
    assert not is_same(one, other)
    assert not is_same(other, one)


def test_only_what_changes_is_sent() -> None:
    after = strategy().configured({**CONFIG, "bid_spread": Decimal("0.3"), "ask_spread": Decimal("0.10")})

    assert changed_fields(load_catalog(), strategy(), after) == {"bid_spread": Decimal("0.3")}


def test_a_field_that_is_left_out_goes_back_to_its_default() -> None:
    before = strategy().configured({**CONFIG, "order_levels": 3})

    assert changed_fields(load_catalog(), before, strategy()) == {"order_levels": 1}


def test_what_a_bot_does_not_run_with_is_named_with_both_values() -> None:
    wanted = {"bid_spread": Decimal("0.3"), "ask_spread": 1, "order_levels": 2}

    assert not_taken(wanted, {"bid_spread": 0.1, "ask_spread": 1.0}) == [
        "bid_spread is 0.1, not 0.3",
        "order_levels is not reported",
    ]


def test_controllers_are_distinguished_from_other_strategies() -> None:
    assert not is_controller(load_catalog(), strategy())
    assert is_controller(load_catalog(), strategy(strategy_type="pmm_simple"))
