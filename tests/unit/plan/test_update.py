"""Rows of the plan's table (plan.md) about a config that differs: what is sent, at what cost, with which hash."""

from __future__ import annotations

from decimal import Decimal

from reconciler.model.change import Action, ConfigMode, Cost, Reason
from reconciler.model.spec import Wish
from reconciler.protocol.canonical import spec_hash
from tests.support.plan_builders import (
    BASIC,
    CONFIG,
    change,
    live,
    ops,
    plan_one,
    spec,
    with_config,
)

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


def test_only_commands_that_raise_risk_can_be_refused_for_a_hash() -> None:
    wanted = with_config(leverage=3)

    stop, update, start = change(wanted, live(spec()), spec()).steps

    assert (stop.spec_hash, update.spec_hash, start.spec_hash) == (None, spec_hash(wanted), spec_hash(wanted))


def test_a_field_inside_an_object_is_sent_with_its_whole_object() -> None:
    wanted = with_config(deep={"a": 1, "b": 2})

    (step,) = change(wanted, live(with_config(deep={"a": 1, "b": 3})), spec()).steps

    assert step.config == {"deep": {"a": 1, "b": 2}}


def test_a_key_with_a_dot_is_sent_too() -> None:
    wanted = with_config(**{"a.b": 1})

    assert change(wanted, live(with_config(**{"a.b": 2})), wanted).steps[0].config == {"a.b": 1}


def test_what_somebody_else_declared_goes_in_the_same_update() -> None:
    """An agent's hash proves that a field was declared by hand: all of Git's config is sent to be rid of it."""
    by_hand = with_config(extra=1, bid_spread=Decimal("0.5"))

    found = change(spec(), live(by_hand), spec())

    (step,) = found.steps
    assert (step.config_mode, step.config) == (ConfigMode.REPLACE, spec().config)
    assert step.spec_hash == spec_hash(spec())
    assert [field.path for field in found.fields if field.removed] == ["config.extra"]


def test_a_field_added_by_hand_alone_is_drift() -> None:
    (step,) = change(spec(), live(with_config(extra=1)), spec()).steps

    assert (step.config_mode, step.spec_hash) == (ConfigMode.REPLACE, spec_hash(spec()))


def test_what_a_bot_filled_in_is_no_drift() -> None:
    filled = live(spec(), config={**CONFIG, "filled": 1})

    assert plan_one(spec(), filled, spec()) is None


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


def test_a_basic_peer_loses_a_key_only_by_being_created_again() -> None:
    before = with_config(extra=1)

    found = change(spec(), live(before, basic=True), before, view=BASIC)

    assert (found.action, found.reason, found.cost) == (Action.REPLACE, Reason.BASIC_REPLACE, Cost.RECREATE)
    assert ops(found) == "stop delete create start"


def test_a_key_that_the_bot_filled_in_again_is_not_removed_again() -> None:
    """Its hash proves that the removal took, though our memory is from before it."""
    shown = live(spec(), config={**CONFIG, "extra": 0})

    assert plan_one(spec(), shown, with_config(extra=1)) is None
