"""Every row of the plan's table (plan.md)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from reconciler.model.change import Action, Cost, Reason
from reconciler.model.spec import Key, Wish
from reconciler.model.state import Lifecycle, ObservedStrategy
from reconciler.protocol.canonical import spec_hash
from tests.support.plan_builders import (
    BASIC,
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


# What cannot change in place.


@pytest.mark.parametrize(
    "other",
    [{"strategy_type": "grid"}, {"exchange": "kraken"}, {"trading_pair": "ETH-USDT"}, {"account": "second"}],
)
def test_another_type_exchange_pair_or_account_is_recreated(other: dict[str, Any]) -> None:
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

RAN = {"reached": Wish.RUNNING}
"""What the inventory knows of a strategy that was seen running when Git wanted it to."""


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


def test_another_state_is_drift_only_if_git_wanted_the_same_before() -> None:
    paused, stopped = spec(state=Wish.PAUSED), live(spec(), "stopped")

    assert change(paused, live(spec()), spec(), known=RAN).reason is Reason.CHANGED
    assert change(spec(), stopped, spec(), known=RAN).reason is Reason.STATE
    assert change(spec(), stopped, spec()).reason is Reason.STATE


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


def test_a_delete_says_what_was_traded() -> None:
    assert change(None, live(spec()), spec()).detail == "BTC-USDT on binance"
    assert change(None, live(spec(), exchange=None), spec()).detail == ""


def test_a_protected_strategy_without_a_file_says_how_to_delete_it() -> None:
    found = change(None, live(spec()), spec(protect=True))

    assert (found.action, found.reason) == (Action.BLOCKED, Reason.PROTECTED)
    assert "bring its file back without protect" in found.detail


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


# A pass after news of a few.


def test_only_the_named_strategies_are_looked_at() -> None:
    wanted = [spec("a"), spec("b"), spec("c")]

    plan = plan_for(wanted, seen(live(spec("c"))), only=frozenset({Key("default", "a"), Key("default", "c")}))

    assert [change.name for change in plan.changes] == ["a"]
    assert plan.unchanged == 1


def test_unchanged_strategies_are_counted() -> None:
    plan = plan_for([spec("a"), spec("b")], seen(live(spec("a")), live(spec("z"), owner="x")))

    assert (plan.unchanged, plan.targets[0].live) == (1, 2)


def test_the_digest_shows_whether_a_touched_strategy_moved() -> None:
    wanted = [spec("a", config={**CONFIG, "bid_spread": 1})]
    digest = plan_for(wanted, seen(live(spec("a")))).live_digest

    assert plan_for(wanted, seen(live(spec("a"), seq=9, seen_at=3.0, message="hi"))).live_digest == digest
    assert plan_for(wanted, seen(live(spec("a")), live(spec("z")), complete=False)).live_digest != digest
    assert plan_for(wanted, seen(live(spec("a"), "paused"))).live_digest != digest
