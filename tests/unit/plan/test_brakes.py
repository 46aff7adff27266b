"""Brakes refuse whole plans, with both numbers and a command that works; they never hold what lowers risk."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest

from reconciler.errors import ExitCode, PlanRefused
from reconciler.model.change import Action, Change, Cost, FieldChange, Op, Plan, Reason, Step, TargetSummary
from reconciler.plan.brakes import check, unbraked
from reconciler.plan.render.summary import counts, exit_code, sentence
from reconciler.settings.model import SyncSettings

SYNC = SyncSettings()
FIELD = FieldChange("config.bid_spread", 1, 2)


def changes(number: int, action: Action, cost: Cost | None = None, **other: object) -> list[Change]:
    steps = (Step(Op.STOP),) if action.acts else ()
    made = Change("default", "x", action, Reason.CHANGED, steps=steps, fields=(FIELD,), cost=cost)
    return [msgspec.structs.replace(made, name=f"{action.name}-{n}", **other) for n in range(number)]


def plan(*groups: list[Change]) -> Plan:
    return Plan("9f3c2ab", "main", tuple(change for group in groups for change in group), 0)


def refusal(a_plan: Plan, fleet: int, sync: SyncSettings = SYNC) -> str:
    with pytest.raises(PlanRefused) as caught:
        check(a_plan, sync, fleet)
    assert caught.value.exit_code is ExitCode.REFUSED
    return str(caught.value)


def test_a_refusal_gives_both_numbers_and_the_exact_command() -> None:
    assert refusal(plan(changes(7, Action.DELETE)), fleet=100) == (
        "plan deletes 7 strategies, more than sync.max_deletes = 3 allows. "
        "If this is meant: reconciler apply --max-deletes 7"
    )


@pytest.mark.parametrize(("number", "cost"), [(6, Cost.RESTART), (6, Cost.RECREATE)])
def test_restarts_and_recreations_are_counted_together(number: int, cost: Cost) -> None:
    action = Action.UPDATE if cost is Cost.RESTART else Action.REPLACE

    assert "restarts 6 strategies, more than sync.max_restarts = 5 allows" in refusal(
        plan(changes(number, action, cost)), fleet=100
    )


def test_a_fraction_too_large_names_the_numbers_behind_it() -> None:
    assert refusal(plan(changes(12, Action.UPDATE, Cost.HOT)), fleet=20) == (
        "plan changes 12 of 20 strategies (0.60), more than sync.max_change_fraction = 0.3 allows. "
        "If this is meant: reconciler apply --max-change-fraction 0.60"
    )


def test_several_brakes_give_one_command() -> None:
    message = refusal(plan(changes(9, Action.DELETE), changes(8, Action.UPDATE, Cost.RESTART)), fleet=20)

    assert message.endswith("reconciler apply --max-deletes 9 --max-restarts 8 --max-change-fraction 0.59")


@pytest.mark.parametrize("fleet", [13, 17, 30, 97])
def test_the_command_that_is_given_lets_the_plan_pass(fleet: int) -> None:
    big = plan(
        changes(7, Action.DELETE), changes(6, Action.REPLACE, Cost.RECREATE), changes(50, Action.CREATE)
    )
    fleet += 50
    flags = dict(re.findall(r"--([a-z-]+) ([\d.]+)", refusal(big, fleet)))
    raised = msgspec.structs.replace(
        SYNC,
        max_deletes=int(flags["max-deletes"]),
        max_restarts=int(flags["max-restarts"]),
        max_change_fraction=float(flags.get("max-change-fraction", SYNC.max_change_fraction)),
    )

    check(big, raised, fleet)


@pytest.mark.parametrize(
    "within",
    [
        changes(3, Action.DELETE),
        changes(5, Action.UPDATE, Cost.RESTART),
        changes(30, Action.UPDATE, Cost.HOT),
    ],
)
def test_exactly_what_a_brake_allows_passes(within: list[Change]) -> None:
    check(plan(within), SYNC, fleet=100)


def test_a_fraction_is_compared_exactly() -> None:
    sync = msgspec.structs.replace(SYNC, max_change_fraction=0.29)

    check(plan(changes(29, Action.UPDATE, Cost.HOT)), sync, fleet=100)


def test_a_small_fleet_has_no_fraction() -> None:
    check(plan(changes(9, Action.UPDATE, Cost.HOT)), SYNC, fleet=9)


def test_a_first_sync_of_everything_passes() -> None:
    check(plan(changes(10_000, Action.CREATE)), SYNC, fleet=10_000)


def test_starting_what_is_stopped_changes_nothing() -> None:
    check(plan(changes(100, Action.START), changes(100, Action.RESUME)), SYNC, fleet=200)


def test_adopting_what_is_equal_changes_nothing() -> None:
    check(plan(changes(100, Action.UPDATE, Cost.HOT, fields=())), SYNC, fleet=100)


def test_new_strategies_do_not_hide_how_many_old_ones_change() -> None:
    mixed = plan(changes(8, Action.UPDATE, Cost.HOT), changes(90, Action.CREATE))

    assert "changes 8 of 10 strategies" in refusal(mixed, fleet=100)


def test_deleting_most_of_a_fleet_counts_against_the_fleet_as_it_was() -> None:
    sync = msgspec.structs.replace(SYNC, max_deletes=100)

    assert "changes 18 of 20 strategies" in refusal(plan(changes(18, Action.DELETE)), fleet=2, sync=sync)


def test_stopping_and_pausing_everything_passes() -> None:
    check(plan(changes(500, Action.STOP), changes(500, Action.PAUSE)), SYNC, fleet=1000)


def test_stops_and_pauses_are_not_held_by_a_brake_that_grips() -> None:
    big = plan(changes(1, Action.STOP), changes(1, Action.PAUSE), changes(9, Action.DELETE))

    assert [change.action for change in unbraked(big).changes] == [Action.STOP, Action.PAUSE]


def test_what_has_no_steps_counts_for_nothing() -> None:
    check(plan(changes(99, Action.BLOCKED), changes(99, Action.UNKNOWN)), SYNC, fleet=100)


# The exit code and the counts.

SEEN = TargetSummary("default", 3, connected=True, complete=True, extended=True, age_s=0.4)


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ([], ExitCode.OK),
        ([Action.BLOCKED, Action.UNMANAGED], ExitCode.OK),
        ([Action.WAIT], ExitCode.CHANGES),
        ([Action.CREATE, Action.BLOCKED], ExitCode.CHANGES),
        ([Action.UNKNOWN], ExitCode.UNKNOWN),
        ([Action.CREATE, Action.UNKNOWN], ExitCode.UNKNOWN),
    ],
)
def test_the_exit_code_says_what_is_left(actions: list[Action], code: ExitCode) -> None:
    found = plan(*(changes(1, action) for action in actions))

    assert exit_code(msgspec.structs.replace(found, targets=(SEEN,))) is code


def test_a_target_out_of_reach_is_unknown_even_if_nothing_is_wanted_of_it() -> None:
    lost = msgspec.structs.replace(SEEN, connected=False)

    assert exit_code(Plan("9f3c2ab", "main", (), 0, targets=(SEEN, lost))) is ExitCode.UNKNOWN


def test_counts_name_every_kind_and_the_sentence_only_those_that_are() -> None:
    found = plan(changes(1, Action.CREATE), changes(2, Action.BLOCKED))

    assert counts(found)["create"] == 1
    assert counts(found)["delete"] == 0
    assert sentence(found) == "1 to create, 2 blocked, 0 unchanged"
    assert sentence(plan()) == "nothing to do, 0 unchanged"


def test_every_action_is_counted() -> None:
    assert len(counts(plan())) == len(Action) + 1
    assert Decimal(sum(counts(plan(*(changes(1, action) for action in Action))).values())) == len(Action)
