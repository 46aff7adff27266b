"""Whose a strategy is while its creation was asked for and never confirmed."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.change import Action, Op
from reconciler.model.spec import StrategySpec
from reconciler.model.state import InventoryEntry, Lifecycle
from tests.support.plan_builders import CONFIG, entry, live, plan_for, seen, spec, with_config


def claim(of: StrategySpec) -> InventoryEntry:
    return entry(of, claims=((of.strategy_type, of.exchange, of.trading_pair),))


def action(wanted: StrategySpec | None, now: Any, known: InventoryEntry, *, extended: bool = True) -> Action:
    view = seen(now, extended=extended)
    (change,) = plan_for([wanted] if wanted else [], view, [known]).changes
    return change.action


def test_what_names_us_as_its_owner_is_ours() -> None:
    assert action(None, live(spec()), claim(spec())) is Action.DELETE


@pytest.mark.parametrize("extended", [True, False])
def test_what_names_no_owner_and_is_what_was_asked_for_is_ours(extended: bool) -> None:
    now = live(spec(), basic=True)

    assert action(None, now, claim(spec()), extended=extended) is Action.DELETE


@pytest.mark.parametrize(
    "other", [{"exchange": "kraken"}, {"trading_pair": "X-Y"}, {"strategy_type": "other"}]
)
def test_what_names_no_owner_and_is_something_else_is_not_ours(other: dict[str, Any]) -> None:
    now = live(spec(), basic=True, **other)

    assert action(None, now, claim(spec()), extended=False) is Action.UNMANAGED
    assert action(spec(), now, claim(spec()), extended=False) is Action.BLOCKED


def test_what_names_another_owner_is_not_ours() -> None:
    assert action(None, live(spec(), owner="somebody"), claim(spec())) is Action.UNMANAGED


def test_any_of_several_creates_may_have_been_the_one() -> None:
    first, second = spec(trading_pair="X-Y"), spec()
    known = entry(second, claims=(*claim(first).claims, *claim(second).claims))

    assert action(None, live(first, basic=True), known, extended=False) is Action.DELETE


@pytest.mark.parametrize("reported", [{"bid_spread": CONFIG["bid_spread"]}, None])
def test_what_a_claim_says_of_the_config_was_never_confirmed(reported: dict[str, Any] | None) -> None:
    """What a Basic peer does not report is sent, since nobody has said that it is there."""
    now = live(spec(), Lifecycle.STOPPED, basic=True, config=reported)

    (change,) = plan_for([spec()], seen(now, extended=False), [claim(spec())]).changes

    assert [step.op for step in change.steps] == [Op.UPDATE, Op.START]


def test_a_claim_whose_config_is_reported_whole_needs_no_update() -> None:
    now = live(spec(), Lifecycle.STOPPED, basic=True)

    (change,) = plan_for([spec()], seen(now, extended=False), [claim(spec())]).changes

    assert [step.op for step in change.steps] == [Op.START]


def test_a_claim_is_no_spec_that_a_bot_in_error_has_taken() -> None:
    """What Git says now was asked for and never taken: the spec is another than that which led to the error."""
    now = live(spec(), Lifecycle.ERROR)
    wanted = with_config(order_amount=5)

    assert action(wanted, now, claim(wanted)) is Action.UPDATE
