"""What holds a plan back: whose the strategy is, a bot's own error, and what a person asked for."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.change import Action, Cost, Reason
from reconciler.model.spec import StrategySpec, Suspend, Wish
from reconciler.model.state import ObservedStrategy
from reconciler.protocol.canonical import spec_hash
from tests.support.plan_builders import (
    CONFIG,
    change,
    entry,
    live,
    ops,
    plan_for,
    plan_one,
    seen,
    spec,
    with_config,
)

# Not ours.


def test_a_live_strategy_that_is_not_ours_is_blocked_and_shows_what_adopting_would_do() -> None:
    found = change(with_config(bid_spread=9), live(spec(), owner="somebody"))

    assert (found.action, found.reason, found.steps) == (Action.BLOCKED, Reason.NOT_OURS, ())
    assert [field.path for field in found.fields] == ["config.bid_spread"]


@pytest.mark.parametrize(
    ("wanted", "adopt"),
    [(spec(adopt=True), False), (spec(), True), (spec(), frozenset({"mm"}))],
    ids=["in the file", "all", "by name"],
)
def test_adopting_an_equal_strategy_is_one_harmless_update(wanted: StrategySpec, adopt: Any) -> None:
    found = change(wanted, live(spec(), owner="somebody"), adopt=adopt)

    assert (found.action, found.reason, found.cost) == (Action.UPDATE, Reason.ADOPTED, Cost.HOT)
    assert (ops(found), found.steps[0].config, found.fields) == ("update", CONFIG, ())


def test_adopting_by_name_takes_no_other() -> None:
    assert change(spec(), live(spec(), owner="x"), adopt=frozenset({"other"})).reason is Reason.NOT_OURS


def test_adopting_a_different_strategy_is_the_usual_change() -> None:
    found = change(with_config(leverage=9), live(spec(), owner="x"), adopt=True)

    assert (found.reason, ops(found)) == (Reason.ADOPTED, "stop update start")


def test_adopting_a_stopped_strategy_marks_it_before_it_starts() -> None:
    assert ops(change(spec(), live(spec(), "stopped", owner="x"), adopt=True)) == "update start"


# Errors.


def test_a_bot_that_stopped_itself_is_not_started_again() -> None:
    found = change(spec(), live(spec(), "error", message="drawdown limit"), spec())

    assert (found.action, found.reason, found.detail) == (Action.BLOCKED, Reason.BOT_ERROR, "drawdown limit")


def test_drift_alone_does_not_start_a_bot_that_stopped_itself() -> None:
    assert change(spec(), live(with_config(bid_spread=9), "error"), spec()).reason is Reason.BOT_ERROR


def test_a_changed_spec_goes_on_after_an_error() -> None:
    found = change(with_config(bid_spread=1), live(spec(), "error"), spec())

    assert (found.action, found.reason, ops(found)) == (Action.UPDATE, Reason.CHANGED, "stop update start")


def test_a_persons_retry_goes_on_after_an_error() -> None:
    asked = {"retry": True, "reached": Wish.RUNNING}

    found = change(spec(), live(spec(), "error"), spec(), known=asked, self_heal=False)

    assert (found.action, found.reason, ops(found)) == (Action.START, Reason.RETRY, "stop start")


def test_a_retry_is_about_the_error_and_nothing_else() -> None:
    drifted = live(with_config(bid_spread=9))

    assert change(spec(), drifted, spec(), known={"retry": True}, self_heal=False).reason is Reason.HEAL_OFF


def test_a_bot_in_error_can_be_stopped_at_any_time() -> None:
    assert ops(change(spec(state=Wish.STOPPED), live(spec(), "error"), spec())) == "stop"


def test_what_a_bot_refused_for_good_is_not_sent_again() -> None:
    wanted = with_config(bid_spread=1)
    refused = {wanted.key: spec_hash(wanted)}

    assert change(wanted, live(spec()), spec(), rejected=refused).reason is Reason.REJECTED
    assert change(wanted, None, rejected=refused).reason is Reason.REJECTED


def test_a_refusal_does_not_hold_another_spec_a_stop_a_delete_or_a_retry() -> None:
    refused = {spec().key: spec_hash(spec())}

    assert change(with_config(bid_spread=1), live(spec()), spec(), rejected=refused).steps
    assert change(spec(state=Wish.STOPPED), live(spec()), spec(), rejected=refused).steps
    assert change(None, live(spec()), spec(), rejected=refused).steps
    assert change(spec(), live(spec(), "error"), spec(), known={"retry": True}, rejected=refused).steps


# What a person asked for: suspend, protect; and a file that is held.


@pytest.mark.parametrize("now", [live(with_config(bid_spread=9)), None])
def test_a_suspended_strategy_gets_no_step(now: ObservedStrategy | None) -> None:
    wanted = spec(suspend=Suspend("maintenance", "2026-11-24T00:00:00Z"))

    found = change(wanted, now, spec())

    assert (found.action, found.reason) == (Action.BLOCKED, Reason.SUSPENDED)
    assert found.detail == "maintenance, until 2026-11-24T00:00:00Z"


def test_a_suspension_ends_at_its_time() -> None:
    assert plan_one(spec(suspend=Suspend("x", "2026-11-23T05:00:00Z")), live(spec()), spec()) is None


@pytest.mark.parametrize("until", [None, "some day"])
def test_a_suspension_without_a_readable_end_stays(until: str | None) -> None:
    assert change(spec(suspend=Suspend("x", until)), live(spec()), spec()).reason is Reason.SUSPENDED


def test_a_protected_strategy_is_never_recreated() -> None:
    found = change(spec(trading_pair="ETH-USDT", protect=True), live(spec()), spec())

    assert (found.action, found.reason, found.steps) == (Action.BLOCKED, Reason.PROTECTED, ())


def test_a_protected_strategy_outlives_its_file() -> None:
    assert change(None, live(spec()), spec(protect=True)).reason is Reason.PROTECTED


def test_a_protected_strategy_is_updated_and_stopped() -> None:
    assert change(spec(config={"bid_spread": 1}, protect=True), live(spec()), spec(protect=True)).steps
    assert change(spec(state=Wish.STOPPED, protect=True), live(spec()), spec(protect=True)).steps


@pytest.mark.parametrize("now", [live(spec()), None])
def test_a_strategy_whose_file_is_invalid_is_left_alone(now: ObservedStrategy | None) -> None:
    plan = plan_for([], seen(*([now] if now else [])), [entry(spec())], held=[spec().key])

    assert [(found.action, found.reason) for found in plan.changes] == [(Action.BLOCKED, Reason.HELD)]
    assert plan.forget == ()
