"""Every row of the plan's table (design.md), every pair of the tables, and what holds for all plans."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Action, Change, ConfigMode, Cost, Op, Reason
from reconciler.model.spec import Key, StrategySpec, Suspend, Wish
from reconciler.model.state import Lifecycle, ObservedStrategy
from reconciler.plan import transitions
from reconciler.plan.planner import apply_order, waves
from reconciler.protocol.canonical import spec_hash
from tests.perfect_peer import PerfectPeer
from tests.plan_builders import (
    CONFIG,
    entry,
    live,
    ops,
    plan_for,
    plan_one,
    seen,
    spec,
    with_config,
)

LIFECYCLES = tuple(Lifecycle)
WISHES = tuple(Wish)
BASIC = {"extended": False}


def change(*args: Any, **kwargs: Any) -> Change:
    found = plan_one(*args, **kwargs)
    assert found is not None
    return found


# In Git, not live.


@pytest.mark.parametrize(
    ("wish", "commands"),
    [("running", "create start"), ("paused", "create start pause"), ("stopped", "create")],
)
def test_a_strategy_that_is_proved_absent_is_created_and_brought_to_its_state(
    wish: str, commands: str
) -> None:
    found = change(spec(state=Wish(wish)), None)

    assert (found.action, found.reason, ops(found)) == (Action.CREATE, Reason.NEW, commands)


def test_a_create_carries_the_whole_spec_and_its_hash() -> None:
    wanted = spec()

    create, start = change(wanted, None).steps

    assert (create.spec, create.spec_hash) == (wanted, spec_hash(wanted))
    assert start.spec_hash == spec_hash(wanted)


def test_a_strategy_that_was_live_and_is_gone_is_drift() -> None:
    assert change(spec(), None, spec(), known={"reached": Wish.RUNNING}).reason is Reason.DRIFTED


def test_a_strategy_that_we_never_saw_live_is_still_new() -> None:
    assert change(spec(), None, spec(), self_heal=False).reason is Reason.NEW


# Live and equal.


def test_a_strategy_that_is_what_git_says_has_no_change() -> None:
    assert plan_one(spec(), live(spec()), spec()) is None


def test_other_digits_of_the_same_number_are_no_change() -> None:
    assert plan_one(with_config(bid_spread=Decimal("0.10")), live(spec()), spec()) is None


def test_what_the_bot_filled_in_is_no_drift() -> None:
    assert plan_one(spec(), live(spec(), config={**CONFIG, "filled": 1}), spec()) is None


def test_labels_owner_and_description_are_not_sent() -> None:
    assert plan_one(spec(labels={"desk": "a"}, owner="me", description="x"), live(spec()), spec()) is None


# Another config.


def test_hot_fields_are_updated_while_it_runs() -> None:
    found = change(with_config(bid_spread=Decimal("0.12")), live(spec()), spec())

    assert (found.action, found.reason, found.cost) == (Action.UPDATE, Reason.CHANGED, Cost.HOT)
    assert ops(found) == "update"


def test_a_restart_only_field_stops_the_strategy_first() -> None:
    found = change(with_config(leverage=3), live(spec()), spec())

    assert ops(found) == "stop update start"
    assert (found.reason, found.cost) == (Reason.RESTART_NEEDED, Cost.RESTART)


def test_a_restart_only_field_of_a_paused_strategy_ends_in_pause() -> None:
    wanted = spec(config={**CONFIG, "leverage": 3}, state=Wish.PAUSED)

    assert ops(change(wanted, live(spec(), "paused"), spec())) == "stop update start pause"


def test_a_restart_only_field_of_a_stopped_strategy_costs_nothing() -> None:
    wanted = spec(config={**CONFIG, "leverage": 3}, state=Wish.STOPPED)

    found = change(wanted, live(spec(), "stopped"), spec())

    assert (ops(found), found.cost) == ("update", None)


def test_an_update_sends_only_what_differs_and_the_hash_of_the_whole() -> None:
    wanted = with_config(bid_spread=Decimal("0.12"))

    (step,) = change(wanted, live(spec()), spec()).steps

    assert (step.config, step.config_mode) == ({"bid_spread": Decimal("0.12")}, ConfigMode.MERGE)
    assert step.spec_hash == spec_hash(wanted)


def test_a_field_inside_an_object_is_sent_with_its_whole_object() -> None:
    wanted = with_config(deep={"a": 1, "b": 2})

    (step,) = change(wanted, live(with_config(deep={"a": 1, "b": 3})), spec()).steps

    assert step.config == {"deep": {"a": 1, "b": 2}}


def test_a_key_with_a_dot_is_sent_too() -> None:
    wanted = with_config(**{"a.b": 1})

    assert change(wanted, live(with_config(**{"a.b": 2})), wanted).steps[0].config == {"a.b": 1}


def test_the_hash_counts_what_somebody_else_declared() -> None:
    """An agent hashes all that was declared to it; a field set by hand stays, and must not make it refuse."""
    by_hand = with_config(extra=1, bid_spread=Decimal("0.5"))
    healed = with_config(extra=1)

    (step,) = change(spec(), live(by_hand), spec()).steps

    assert step.spec_hash == spec_hash(healed)


def test_a_hash_that_cannot_be_known_is_not_sent() -> None:
    unproved = live(spec(), config={**CONFIG, "bid_spread": 9, "filled": 1}, spec_hash="sha256:other")

    assert change(spec(), unproved, spec()).steps[0].spec_hash is None


def test_a_field_carries_the_unit_of_its_schema() -> None:
    found = change(with_config(bid_spread=1, leverage=9), live(spec()), spec())

    assert [(field.path, field.unit) for field in found.fields] == [
        ("config.bid_spread", "percent"),
        ("config.leverage", ""),
    ]


# A key removed.


def test_a_removed_key_takes_a_replacing_update() -> None:
    before = with_config(extra=1)

    found = change(spec(), live(before), before)

    assert found.reason is Reason.KEY_REMOVED
    assert (ops(found), found.steps[0].config_mode) == ("update", ConfigMode.REPLACE)
    assert (found.steps[0].config, found.steps[0].spec_hash) == (CONFIG, spec_hash(spec()))


def test_a_removed_restart_only_key_restarts() -> None:
    before = with_config(mode="x")

    assert ops(change(spec(), live(before), before)) == "stop update start"


def test_a_basic_peer_loses_a_key_only_by_being_created_anew() -> None:
    before = with_config(extra=1)

    found = change(spec(), live(before, basic=True), before, view=BASIC)

    assert (found.action, found.reason, found.cost) == (Action.REPLACE, Reason.BASIC_REPLACE, Cost.RECREATE)
    assert ops(found) == "stop delete create start"


def test_a_key_that_the_bot_filled_in_again_is_not_removed_again() -> None:
    """Its hash proves that the removal took, though our memory is from before it."""
    shown = live(spec(), config={**CONFIG, "extra": 0})

    assert plan_one(spec(), shown, with_config(extra=1)) is None


# What cannot change in place.


@pytest.mark.parametrize(
    "other",
    [{"strategy_type": "grid"}, {"exchange": "kraken"}, {"trading_pair": "ETH-USDT"}, {"account": "second"}],
)
def test_another_type_exchange_pair_or_account_is_recreated(other: dict[str, str]) -> None:
    found = change(spec(**other), live(spec()), spec())

    assert (found.action, found.reason, found.cost) == (
        Action.REPLACE,
        Reason.IDENTITY_CHANGED,
        Cost.RECREATE,
    )
    assert ops(found) == "stop delete create start"
    assert [field.path for field in found.fields] == list(other)


@pytest.mark.parametrize(
    ("state", "wish", "commands"),
    [
        ("stopped", "stopped", "delete create"),
        ("stopped", "running", "delete create start"),
        ("paused", "paused", "stop delete create start pause"),
    ],
)
def test_recreating_stops_what_runs_and_reaches_the_wish(state: str, wish: str, commands: str) -> None:
    wanted = spec(trading_pair="ETH-USDT", state=Wish(wish))

    assert ops(change(wanted, live(spec(), state), spec())) == commands


def test_what_a_peer_does_not_report_is_what_it_confirmed_last() -> None:
    silent = ObservedStrategy("mm", Lifecycle.RUNNING)

    assert plan_one(spec(), silent, spec(), view=BASIC) is None
    assert change(spec(trading_pair="ETH-USDT"), silent, spec(), view=BASIC).action is Action.REPLACE


def test_a_basic_peer_is_never_deleted_for_an_account_that_it_cannot_be_given() -> None:
    wanted = spec(trading_pair="ETH-USDT", account="second")

    found = change(wanted, live(spec(), basic=True), spec(account="second"), view=BASIC)

    assert (found.action, found.reason) == (Action.BLOCKED, Reason.ACCOUNT)
    assert change(wanted, None, view=BASIC).reason is Reason.ACCOUNT


# States.


@pytest.mark.parametrize(
    ("state", "wish", "action", "commands"),
    [
        ("stopped", "running", Action.START, "start"),
        ("stopped", "paused", Action.START, "start pause"),
        ("running", "stopped", Action.STOP, "stop"),
        ("running", "paused", Action.PAUSE, "pause"),
        ("paused", "running", Action.RESUME, "resume"),
        ("paused", "stopped", Action.STOP, "stop"),
        ("starting", "stopped", Action.STOP, "stop"),
    ],
)
def test_only_another_state_takes_only_its_commands(
    state: str, wish: str, action: Action, commands: str
) -> None:
    found = change(spec(state=Wish(wish)), live(spec(), state), spec())

    assert (found.action, found.reason, ops(found)) == (action, Reason.STATE, commands)
    assert [(field.path, field.before, field.after) for field in found.fields] == [("state", state, wish)]


@pytest.mark.parametrize("state", ["starting", "stopping"])
def test_a_bot_on_its_way_is_waited_for(state: str) -> None:
    found = change(with_config(leverage=9), live(spec(), state), spec())

    assert (found.action, found.reason, found.detail, found.steps) == (
        Action.WAIT,
        Reason.IN_TRANSIT,
        state,
        (),
    )


@pytest.mark.parametrize(
    ("state", "wish", "commands"),
    [
        ("stopped", "running", "update start"),
        ("paused", "running", "update resume"),
        ("running", "paused", "pause update"),
        ("running", "stopped", "stop update"),
    ],
)
def test_config_and_state_go_together_lower_risk_first(state: str, wish: str, commands: str) -> None:
    wanted = spec(config={**CONFIG, "bid_spread": 1}, state=Wish(wish))

    assert ops(change(wanted, live(spec(), state), spec())) == commands


def test_a_stop_that_also_updates_counts_as_a_stop() -> None:
    wanted = spec(config={**CONFIG, "leverage": 9}, state=Wish.STOPPED)

    found = change(wanted, live(spec()), spec())

    assert (found.action, found.cost) == (Action.STOP, None)


# Not in Git.


@pytest.mark.parametrize(
    ("state", "commands"),
    [("running", "stop delete"), ("paused", "stop delete"), ("stopped", "delete"), ("error", "stop delete")],
)
def test_what_is_ours_and_not_in_git_is_stopped_and_deleted(state: str, commands: str) -> None:
    found = change(None, live(spec(), state), spec())

    assert (found.action, found.reason, ops(found)) == (Action.DELETE, Reason.REMOVED, commands)


def test_a_lost_store_still_knows_its_own_by_the_echoed_mark() -> None:
    assert change(None, live(spec())).action is Action.DELETE


def test_a_bot_that_is_stopping_is_deleted_once_it_has_stopped() -> None:
    assert change(None, live(spec(), "stopping"), spec()).action is Action.WAIT


def test_what_is_not_ours_and_not_in_git_is_only_reported() -> None:
    found = change(None, live(spec(), owner="somebody"))

    assert (found.action, found.steps) == (Action.UNMANAGED, ())


def test_without_prune_nothing_is_deleted() -> None:
    found = change(None, live(spec()), spec(), prune=False)

    assert (found.action, found.reason, found.steps) == (Action.BLOCKED, Reason.PRUNE_OFF, ())


def test_what_is_proved_gone_and_not_in_git_is_forgotten() -> None:
    plan = plan_for([], seen(), [entry(spec())])

    assert (plan.changes, plan.forget) == ((), (spec().key,))


def test_what_git_wants_is_not_forgotten_when_it_is_gone() -> None:
    assert plan_for([spec()], seen(), [entry(spec())]).forget == ()


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


# Unknown.


@pytest.mark.parametrize(
    "view",
    [{"connected": False}, {"complete": False}, {"unbelievable": frozenset({"mm"})}],
    ids=["not connected", "not complete", "agent offline"],
)
def test_what_cannot_be_seen_gets_no_step(view: Mapping[str, Any]) -> None:
    for wanted in (spec(), None):
        found = change(wanted, None, spec(), view=view)

        assert (found.action, found.reason, found.steps) == (Action.UNKNOWN, Reason.UNSEEN, ())


def test_a_target_that_nobody_looked_at_is_unknown() -> None:
    found = plan_for([spec(target="hk")], seen()).changes[0]

    assert (found.action, found.detail) == (Action.UNKNOWN, "not connected to target hk")


def test_a_basic_peers_silence_allows_a_create_and_nothing_else() -> None:
    silent = {**BASIC, "complete": False, "presumed_absent": True}

    assert change(spec(), None, view=silent).reason is Reason.PRESUMED_ABSENT
    assert change(spec(), None, spec(), view=silent).action is Action.CREATE
    assert change(None, None, spec(), view=silent).action is Action.UNKNOWN


@pytest.mark.parametrize("view", [{"connected": False}, {"unbelievable": frozenset({"mm"})}])
def test_silence_means_nothing_where_there_is_doubt(view: Mapping[str, Any]) -> None:
    silent = {**BASIC, "complete": False, "presumed_absent": True, **view}

    assert change(spec(), None, view=silent).action is Action.UNKNOWN


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
    found = change(spec(), live(spec(), "error"), spec(), known={"retry": True}, self_heal=False)

    assert (found.action, found.reason, ops(found)) == (Action.START, Reason.RETRY, "stop start")


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


# What a person asked for: suspend, protect, held, ignore_drift, self_heal.


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


def test_drift_is_healed_and_called_drift() -> None:
    found = change(spec(), live(with_config(bid_spread=9)), spec())

    assert (found.action, found.reason) == (Action.UPDATE, Reason.DRIFTED)


def test_without_self_heal_drift_is_only_reported() -> None:
    found = change(spec(), live(with_config(bid_spread=9)), spec(), self_heal=False)

    assert (found.action, found.reason, found.steps) == (Action.BLOCKED, Reason.HEAL_OFF, ())
    assert [field.path for field in found.fields] == ["config.bid_spread"]


def test_without_self_heal_a_state_that_was_reached_and_left_is_drift() -> None:
    reached = {"reached": Wish.RUNNING}

    assert (
        change(spec(), live(spec(), "stopped"), spec(), known=reached, self_heal=False).reason
        is Reason.HEAL_OFF
    )
    assert ops(change(spec(), live(spec(), "stopped"), spec(), self_heal=False)) == "start"


def test_without_self_heal_git_still_stops_a_strategy_that_drifted() -> None:
    drifted = live(with_config(bid_spread=9))

    found = change(
        spec(state=Wish.STOPPED), drifted, spec(), known={"reached": Wish.RUNNING}, self_heal=False
    )

    assert (found.action, ops(found)) == (Action.STOP, "stop")


def test_without_self_heal_git_changes_are_applied() -> None:
    assert change(with_config(bid_spread=1), live(spec()), spec(), self_heal=False).reason is Reason.CHANGED


def test_without_self_heal_what_vanished_stays_away() -> None:
    found = change(spec(), None, spec(), known={"reached": Wish.RUNNING}, self_heal=False)

    assert (found.action, found.reason) == (Action.BLOCKED, Reason.HEAL_OFF)


IGNORING: dict[str, Any] = {"ignore_drift": ("config.order_amount",)}


def test_ignored_drift_is_left() -> None:
    assert plan_one(spec(**IGNORING), live(with_config(order_amount=5)), spec()) is None


def test_a_commit_that_changes_an_ignored_field_is_applied() -> None:
    wanted = spec(config={**CONFIG, "order_amount": 7}, **IGNORING)

    assert change(wanted, live(with_config(order_amount=5)), spec()).steps[0].config == {"order_amount": 7}


def test_another_change_does_not_touch_ignored_drift_and_sends_the_hash_with_it() -> None:
    wanted = spec(config={**CONFIG, "bid_spread": 1}, **IGNORING)

    (step,) = change(wanted, live(with_config(order_amount=5)), spec()).steps

    assert step.config == {"bid_spread": 1}
    assert step.spec_hash == spec_hash(with_config(bid_spread=1, order_amount=5))


def test_removing_a_key_keeps_ignored_drift() -> None:
    before = with_config(extra=1)

    (step,) = change(spec(**IGNORING), live(with_config(extra=1, order_amount=5)), before).steps

    assert step.config == {**CONFIG, "order_amount": 5}


# Peers that say little.


def test_a_hash_alone_tells_equal_from_drifted() -> None:
    silent: dict[str, Any] = {"config": None}

    assert plan_one(spec(), live(spec(), **silent), spec()) is None
    assert plan_one(spec(), live(spec(), **silent)) is None
    found = change(spec(), live(with_config(bid_spread=9), **silent), spec())
    assert (found.reason, found.steps[1].config_mode) == (Reason.DRIFTED, ConfigMode.REPLACE)


def test_a_hash_alone_tells_what_git_changed() -> None:
    wanted = with_config(bid_spread=1)

    (step,) = change(wanted, live(spec(), config=None), spec()).steps

    assert (step.config, step.spec_hash) == ({"bid_spread": 1}, spec_hash(wanted))


def test_an_unknown_config_with_ignored_fields_is_left_alone() -> None:
    assert plan_one(spec(**IGNORING), live(with_config(order_amount=5), config=None), spec()) is None


def test_a_basic_peer_that_reports_only_some_fields_is_not_updated_for_ever() -> None:
    partial = live(spec(), basic=True, config={"bid_spread": "0.10"})

    assert plan_one(spec(), partial, spec(), view=BASIC) is None


def test_a_basic_peer_that_reports_drift_is_healed() -> None:
    partial = live(spec(), basic=True, config={"bid_spread": "9"})

    assert change(spec(), partial, spec(), view=BASIC).steps[0].config == {"bid_spread": Decimal("0.1")}


# The tables.


@pytest.mark.parametrize(
    "table",
    [transitions.MOVE, transitions.UPDATE_HOT, transitions.UPDATE_RESTART, transitions.RECREATE],
    ids=["move", "hot", "restart", "recreate"],
)
def test_every_pair_of_a_table_leads_to_the_wish(table: transitions.Table) -> None:
    for state in LIFECYCLES:
        for wish in WISHES:
            commands = table[state, wish]
            if commands is transitions.WAIT:
                assert state in {Lifecycle.STARTING, Lifecycle.STOPPING}
                assert (state, wish) != (Lifecycle.STARTING, Wish.STOPPED)
            else:
                assert _walk(state, commands) == wish.value
                if table is transitions.UPDATE_RESTART:
                    assert _updates_at_rest(state, commands)
    assert len(table) == len(LIFECYCLES) * len(WISHES)


def test_deletion_knows_every_state_and_never_drops_a_bot_that_may_hold_orders() -> None:
    for state in LIFECYCLES:
        commands = transitions.DELETE[state]
        assert commands is transitions.WAIT or _walk(state, commands) == "gone"


AFTER = {
    (Op.STOP, "running"): "stopped",
    (Op.STOP, "paused"): "stopped",
    (Op.STOP, "starting"): "stopped",
    (Op.STOP, "error"): "stopped",
    (Op.PAUSE, "running"): "paused",
    (Op.RESUME, "paused"): "running",
    (Op.START, "stopped"): "running",
    (Op.DELETE, "stopped"): "gone",
    (Op.CREATE, "gone"): "stopped",
    (Op.UPDATE, "running"): "running",
    (Op.UPDATE, "paused"): "paused",
    (Op.UPDATE, "stopped"): "stopped",
}


def _walk(state: Lifecycle, commands: transitions.Ops) -> str:
    at = state.value
    for op in commands:
        at = AFTER[op, at]
    return at


def _updates_at_rest(state: Lifecycle, commands: transitions.Ops) -> bool:
    return _walk(state, commands[: commands.index(Op.UPDATE)]) == "stopped"


# Order.


def test_what_lowers_risk_comes_first_whatever_its_wave() -> None:
    removed = [spec("del-0"), spec("del-9", wave=9)]
    wanted = [
        spec("new-0"),
        spec("new-1", wave=1),
        spec("stop-1", wave=1, state=Wish.STOPPED),
        spec("pause-0", state=Wish.PAUSED),
        spec("pair-0", trading_pair="ETH-USDT"),
        spec("edit-0", config={**CONFIG, "bid_spread": 1}),
        spec("start-0"),
    ]
    now = [live(one) for one in removed]
    now += [live(spec(name)) for name in ("stop-1", "pause-0", "pair-0", "edit-0")]
    now += [live(spec("start-0"), "stopped")]

    plan = plan_for(wanted, seen(*now), [entry(spec(one.name, wave=one.wave)) for one in removed])

    assert [[change.name for change in wave] for wave in waves(plan)] == [
        ["del-9"],
        ["stop-1"],
        ["pause-0", "del-0"],
        ["pair-0", "edit-0", "new-0", "start-0"],
        ["new-1"],
    ]
    assert [change for wave in waves(plan) for change in wave] == list(plan.acting)


def test_what_does_not_act_stands_last() -> None:
    plan = plan_for([spec("new")], seen(live(spec("foreign"), owner="x")))

    assert [change.action for change in plan.changes] == [Action.CREATE, Action.UNMANAGED]


# A pass after news of a few.


def test_only_the_named_strategies_are_looked_at() -> None:
    wanted = [spec("a"), spec("b"), spec("c")]

    plan = plan_for(wanted, seen(live(spec("c"))), only=frozenset({Key("default", "a"), Key("default", "c")}))

    assert [change.name for change in plan.changes] == ["a"]
    assert plan.unchanged == 1


def test_unchanged_strategies_are_counted() -> None:
    plan = plan_for([spec("a"), spec("b")], seen(live(spec("a")), live(spec("z"), owner="x")))

    assert (plan.unchanged, plan.targets[0].live) == (1, 2)


def test_the_digest_tells_whether_a_touched_strategy_moved() -> None:
    wanted = [spec("a", config={**CONFIG, "bid_spread": 1})]
    digest = plan_for(wanted, seen(live(spec("a")))).live_digest

    assert plan_for(wanted, seen(live(spec("a"), seq=9, seen_at=3.0, message="hi"))).live_digest == digest
    assert plan_for(wanted, seen(live(spec("a")), live(spec("z")), complete=False)).live_digest != digest
    assert plan_for(wanted, seen(live(spec("a"), "paused"))).live_digest != digest


# What holds for all plans.

NAMES = ("a", "b", "c")
SPREADS = st.sampled_from([1, 2])
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "trading_pair": st.sampled_from(["BTC-USDT", "ETH-USDT"]),
        "state": st.sampled_from(WISHES),
        "wave": st.integers(0, 2),
        "protect": st.booleans(),
        "adopt": st.booleans(),
        "suspend": st.sampled_from([None, Suspend("why")]),
        "ignore_drift": st.sampled_from([(), ("config.bid_spread",)]),
    },
)
CONFIGS = st.fixed_dictionaries({"bid_spread": SPREADS, "leverage": SPREADS}, optional={"extra": SPREADS})


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[StrategySpec], PerfectPeer]:
    """Git, bots and memory of three strategies, in any combination."""
    peer = PerfectPeer(basic=draw(st.booleans()))
    wanted = []
    for name in NAMES:
        if draw(st.booleans()):
            wanted.append(spec(name, config=draw(CONFIGS), **draw(ENVELOPES)))
        if draw(st.booleans()):
            before = spec(name, config=draw(CONFIGS), **draw(ENVELOPES))
            owner = {} if peer.basic else {"owner": draw(st.sampled_from(["our-mark", "other", None]))}
            peer.strategies[name] = live(before, draw(st.sampled_from(LIFECYCLES)), basic=peer.basic, **owner)
        if draw(st.booleans()):
            before = spec(name, config=draw(CONFIGS), **draw(ENVELOPES))
            peer.inventory[name] = entry(before, retry=draw(st.booleans()))
    return wanted, peer


@given(worlds())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    world: tuple[list[StrategySpec], PerfectPeer],
) -> None:
    wanted, peer = world
    for _ in range(2):  # what is on its way is waited for once
        peer.carry_out(plan_for(wanted, peer.observe(), peer.inventory.values()))
        peer.settle()

    final = plan_for(wanted, peer.observe(), peer.inventory.values())

    assert [
        change.action for change in final.changes if change.action.acts or change.action is Action.WAIT
    ] == []


@given(
    worlds(), st.sampled_from([{"connected": False}, {"complete": False}, {"unbelievable": frozenset(NAMES)}])
)
def test_nothing_unseen_ever_gets_a_step(
    world: tuple[list[StrategySpec], PerfectPeer], blind: dict[str, Any]
) -> None:
    wanted, peer = world
    view = seen(*([] if "complete" in blind else peer.strategies.values()), extended=not peer.basic, **blind)

    assert plan_for(wanted, view, peer.inventory.values(), adopt=True).acting == ()


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    world: tuple[list[StrategySpec], PerfectPeer], chance: random.Random
) -> None:
    wanted, peer = world
    plan = plan_for(wanted, peer.observe(), peer.inventory.values())
    specs, now, memory = list(wanted), list(peer.strategies.values()), list(peer.inventory.values())
    chance.shuffle(specs)
    chance.shuffle(now)
    chance.shuffle(memory)

    assert plan_for(specs, seen(*now, extended=not peer.basic), memory) == plan


@given(worlds())
def test_a_change_is_in_order_and_says_why(world: tuple[list[StrategySpec], PerfectPeer]) -> None:
    wanted, peer = world
    plan = plan_for(wanted, peer.observe(), peer.inventory.values())

    assert list(plan.changes) == sorted(plan.changes, key=apply_order)
    for found in plan.changes:
        commands = [step.op for step in found.steps]
        assert bool(commands) == found.action.acts == bool(found.live_digest)
        assert len(commands) == len(set(commands))
        assert commands == sorted(commands, key=_NATURAL_ORDER[Op.PAUSE in commands[:1]].index)


_NATURAL_ORDER = {
    False: [Op.STOP, Op.DELETE, Op.CREATE, Op.UPDATE, Op.START, Op.RESUME, Op.PAUSE],
    True: [Op.PAUSE, Op.UPDATE],
}
