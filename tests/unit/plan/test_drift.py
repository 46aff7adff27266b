"""Telling drift from a commit: `ignore_drift`, `sync.self_heal`, and peers that say little."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.model.change import Action, ConfigMode, Reason
from reconciler.model.spec import Wish
from reconciler.protocol.canonical import spec_hash
from tests.support.plan_builders import BASIC, CONFIG, change, live, ops, plan_one, spec, with_config


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


@pytest.mark.parametrize("view", [{}, {"extended": False, "complete": False, "presumed_absent": True}])
def test_without_self_heal_what_vanished_stays_away(view: dict[str, Any]) -> None:
    found = change(spec(), None, spec(), known={"reached": Wish.RUNNING}, view=view, self_heal=False)

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


def test_a_hash_alone_distinguishes_equal_from_drifted() -> None:
    silent: dict[str, Any] = {"config": None}

    assert plan_one(spec(), live(spec(), **silent), spec()) is None
    assert plan_one(spec(), live(spec(), **silent)) is None
    found = change(spec(), live(with_config(bid_spread=9), **silent), spec())
    assert (found.reason, found.steps[1].config_mode) == (Reason.DRIFTED, ConfigMode.REPLACE)


def test_a_hash_alone_shows_what_git_changed() -> None:
    wanted = with_config(bid_spread=1)

    (step,) = change(wanted, live(spec(), config=None), spec()).steps

    assert (step.config, step.spec_hash) == ({"bid_spread": 1}, spec_hash(wanted))


def test_an_unknown_config_with_ignored_fields_is_left_alone() -> None:
    assert plan_one(spec(**IGNORING), live(with_config(order_amount=5), config=None)) is None
    assert plan_one(spec(**IGNORING), live(with_config(order_amount=5), config=None), spec()) is None


def test_an_unknown_config_with_ignored_fields_still_follows_git() -> None:
    wanted = spec(config={**CONFIG, "bid_spread": 1}, **IGNORING)

    (step,) = change(wanted, live(with_config(order_amount=5), config=None), spec()).steps

    assert (step.config, step.spec_hash) == ({"bid_spread": 1}, None)


def test_a_peer_without_hashes_is_given_one_only_if_nothing_else_is_declared() -> None:
    wanted = with_config(bid_spread=1)

    (known,) = change(wanted, live(spec(), spec_hash=None), spec()).steps
    (doubtful,) = change(wanted, live(with_config(extra=1), spec_hash=None), spec()).steps

    assert (known.spec_hash, doubtful.spec_hash) == (spec_hash(wanted), None)


def test_a_basic_peer_that_reports_only_some_fields_is_not_updated_for_ever() -> None:
    partial = live(spec(), basic=True, config={"bid_spread": "0.10"})

    assert plan_one(spec(), partial, spec(), view=BASIC) is None


def test_a_basic_peer_that_reports_drift_is_healed() -> None:
    partial = live(spec(), basic=True, config={"bid_spread": "9"})

    assert change(spec(), partial, spec(), view=BASIC).steps[0].config == {"bid_spread": Decimal("0.1")}
