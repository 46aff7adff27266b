"""What notifications say: one event for one thing, a crowd counted, no config values."""

from __future__ import annotations

from decimal import Decimal

from reconciler.errors import Location, Problem
from reconciler.model.change import Action, Change, FieldChange, Op, Plan, Reason, Step
from reconciler.model.report import ChangeResult, EventKind, Level, Outcome, StepResult, SyncReport
from reconciler.notify.events import CROWD, blocked_events, finished_events, invalid_event, started_events

COMMIT = "9f3c2ab0000000000000000000000000000000aa"


def change(name="btc", action=Action.UPDATE, reason=Reason.CHANGED, **more):
    return Change("default", name, action, reason, steps=(Step(Op.UPDATE),), **more)


def plan(*changes):
    return Plan(COMMIT, "main", changes, 0)


def ended(a_change, outcome=Outcome.CONFIRMED, **step):
    return ChangeResult(a_change, outcome, (StepResult(Op.UPDATE, outcome, **step),))


def test_a_plan_without_steps_is_not_announced() -> None:
    assert started_events(plan(change(action=Action.BLOCKED, reason=Reason.NOT_OURS))) == []


def test_a_sync_starts_with_its_counts() -> None:
    events = started_events(plan(change(), change("eth", Action.CREATE, Reason.NEW)))

    assert [event.message for event in events] == ["Sync of 9f3c2ab started: 1 to update, 1 to create"]


def test_drift_names_the_fields_but_not_their_values() -> None:
    field = FieldChange("config.order_amount", Decimal("0.5"), Decimal("0.01"))

    found = started_events(plan(change(reason=Reason.DRIFTED, fields=(field,))))[1]

    assert found.message == "btc differs from Git: config.order_amount"
    assert (found.kind, found.level) == (EventKind.DRIFT_FOUND, Level.WARNING)


def test_healed_drift_and_a_change_are_distinct_events() -> None:
    report = SyncReport(plan(), (ended(change(reason=Reason.DRIFTED)), ended(change("eth"))))

    kinds = [event.kind for event in finished_events(report)]

    assert kinds == [EventKind.CHANGED, EventKind.DRIFT_HEALED, EventKind.SYNC_FINISHED]


def test_a_problem_of_a_whole_file_has_no_empty_path() -> None:
    problem = Problem(Location("strategies/a.yaml"), "", "there is no strategy in this file", "write one")

    assert "strategies/a.yaml: there is no strategy" in invalid_event([problem], COMMIT).message


def test_a_crowd_becomes_one_event_with_its_count() -> None:
    results = tuple(ended(change(f"mm-{n:03}")) for n in range(CROWD + 1))

    events = finished_events(SyncReport(plan(), results))

    assert events[0].message == "21 strategies changed: mm-000, mm-001, mm-002 and 18 more"
    assert len(events) == 2


def test_a_failure_says_step_code_and_reason_and_can_stand() -> None:
    result = ended(change(), Outcome.FAILED, code="INVALID_CONFIG", message="bid_spread must be above 0")

    failed, finished = finished_events(SyncReport(plan(), (result,)))

    assert failed.message == "btc: update failed: INVALID_CONFIG: bid_spread must be above 0"
    assert failed.subject == "default/btc:update:INVALID_CONFIG"
    assert (finished.message, finished.level) == ("Sync of 9f3c2ab finished: 1 failed", Level.WARNING)


def test_a_timeout_is_a_warning_and_called_unknown() -> None:
    failed = finished_events(SyncReport(plan(), (ended(change(), Outcome.UNKNOWN, message="no answer"),)))[0]

    assert (failed.level, failed.message) == (Level.WARNING, "btc: update unknown: no answer")


def test_an_invalid_revision_gives_place_cause_fix_and_how_many_more() -> None:
    problem = Problem(
        Location("strategies/a.yaml", 3, 8), "state", "'paussed' is not allowed", "write paused"
    )

    event = invalid_event([problem, problem], COMMIT)

    assert event.message == (
        "9f3c2ab is not applied: strategies/a.yaml:3:8: state: 'paussed' is not allowed; "
        "fix: write paused (and 1 more)"
    )


def test_a_suspended_strategy_is_not_reported_as_blocked() -> None:
    suspended = change(action=Action.BLOCKED, reason=Reason.SUSPENDED)
    foreign = change("eth", Action.BLOCKED, Reason.NOT_OURS)

    assert [event.subject for event in blocked_events(plan(suspended, foreign))] == ["default/eth:NOT_OURS"]
