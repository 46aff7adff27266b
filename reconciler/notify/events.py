"""
Plans and reports → Events: what notifications say, in which words, how grave.

Rule 1: pure; what was reported already is `notifier`'s business.
Rule 2: one event per thing that happened, not per pass; a crowd of the same kind is one event with a count. A sync
that is tried again and again, and ends no better, is reported once.
Rule 3: no config values: those stand in the plan, where secrets are masked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconciler.errors import Problem
from reconciler.model.change import Action, Change, Plan, Reason
from reconciler.model.report import ChangeResult, Event, EventKind, Level, Outcome, SyncReport

CROWD = 20
"""More events of one kind in one pass than this become one with a count: a chat takes no thousands."""

_DRIFT = {Reason.DRIFTED, Reason.STATE}

OF_A_SYNC = (EventKind.SYNC_STARTED, EventKind.DRIFT_FOUND, EventKind.SYNC_FINISHED)
"""Reported once, in the same words, until a sync ends well."""

_DONE = {
    Action.STOP: "stopped",
    Action.PAUSE: "paused",
    Action.DELETE: "stopped and deleted",
    Action.REPLACE: "replaced",
    Action.UPDATE: "updated",
    Action.CREATE: "created",
    Action.START: "started",
    Action.RESUME: "resumed",
}


def started_events(plan: Plan) -> list[Event]:
    """What to say before `plan` is applied: that a sync starts, and which drift it heals."""
    if not plan.acting:
        return []
    message = f"Sync of {short(plan.commit)} started: {counts(plan.acting)}"
    started = Event(EventKind.SYNC_STARTED, Level.INFO, message, subject=message)
    drift = [
        Event(
            EventKind.DRIFT_FOUND,
            Level.WARNING,
            f"{change.key} differs from Git: {differences(change)}",
            key=change.key,
            action=change.action,
            subject=f"{change.target}/{change.name}:{differences(change)}",
        )
        for change in plan.acting
        if change.reason in _DRIFT
    ]
    return [started, *crowded(drift, "strategies differ from Git")]


def finished_events(report: SyncReport) -> list[Event]:
    """What to say when a pass is over: each change's end, then the sync's own."""
    if not report.results:
        return []
    ends = [_ended(result) for result in report.results]
    healed = [event for event in ends if event.kind is EventKind.DRIFT_HEALED]
    changed = [event for event in ends if event.kind is EventKind.CHANGED]
    failed = [event for event in ends if event.kind is EventKind.FAILED]
    number = Counter(result.outcome for result in report.results)
    parts = ", ".join(f"{number[outcome]} {outcome}" for outcome in Outcome if number[outcome])
    message = f"Sync of {short(report.plan.commit)} finished: {parts}"
    level, subject = (Level.INFO, "") if ended_well(report) else (Level.WARNING, message)
    finished = Event(EventKind.SYNC_FINISHED, level, message, subject=subject)
    return [
        *crowded(changed, "strategies changed"),
        *crowded(healed, "strategies match Git again"),
        *failed,
        finished,
    ]


def ended_well(report: SyncReport) -> bool:
    """Whether every change is confirmed."""
    return all(result.outcome is Outcome.CONFIRMED for result in report.results)


def blocked_events(plan: Plan) -> list[Event]:
    """What is wrong for as long as the plan says so: each blocked strategy, with its reason."""
    return [
        Event(
            EventKind.BLOCKED,
            Level.WARNING,
            f"{change.key} is left as it is: {change.reason}"
            + (f" ({change.detail})" if change.detail else ""),
            key=change.key,
            action=change.action,
            subject=f"{change.target}/{change.name}:{change.reason.name}",
        )
        for change in plan.changes
        if change.action is Action.BLOCKED and change.reason is not Reason.SUSPENDED
    ]


def pending_events(plan: Plan) -> list[Event]:
    """Under `sync.auto: false`: what would be done, for as long as it stays the same."""
    if not plan.acting:
        return []
    message = f"{short(plan.commit)} is out of sync, and sync.auto is off: {counts(plan.acting)}"
    return [Event(EventKind.PENDING, Level.WARNING, message, subject=message)]


def refused_event(message: str) -> Event:
    """A brake refused the whole plan."""
    return Event(EventKind.REFUSED, Level.ERROR, f"Sync refused: {message}", subject=message)


def invalid_event(problems: Sequence[Problem], commit: str) -> Event:
    """A revision whose files are wrong; what was in force stays in force."""
    first = min(problems, key=lambda problem: problem.severity)  # errors come first
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    what = f"{first.path}: {first.what}" if first.path else first.what
    message = f"{short(commit)} is not applied: {first.location}: {what}; fix: {first.fix}{more}"
    return Event(EventKind.INVALID, Level.ERROR, message, subject=f"{commit}:{message}")


def crowded(events: list[Event], what: str) -> list[Event]:
    """`events`, or one that counts them if they are too many for a chat."""
    if len(events) <= CROWD:
        return events
    names = ", ".join(str(event.key) for event in events[:3])
    first = events[0]
    message = f"{len(events)} {what}: {names} and {len(events) - 3} more"
    return [Event(first.kind, first.level, message, subject=message if first.subject else "")]


def counts(changes: Iterable[Change]) -> str:
    """Such as `2 to create, 1 to update`."""
    number = Counter(change.action for change in changes)
    return ", ".join(f"{number[action]} to {action.name.lower()}" for action in Action if number[action])


def differences(change: Change) -> str:
    """The names of what differs, without values."""
    return ", ".join(field.path for field in change.fields) or change.reason.value


def short(commit: str) -> str:
    """A commit as people write it."""
    return commit if commit == "worktree" else commit[:7]


def _ended(result: ChangeResult) -> Event:
    change = result.change
    if result.outcome is Outcome.CONFIRMED:
        kind = EventKind.DRIFT_HEALED if change.reason in _DRIFT else EventKind.CHANGED
        text = f"{change.key} {_DONE[change.action]}: {change.reason}"
        return Event(kind, Level.INFO, text, key=change.key, action=change.action)
    step = result.steps[-1]
    level = Level.ERROR if result.outcome is Outcome.FAILED else Level.WARNING
    code = f"{step.code}: " if step.code else ""
    text = f"{change.key}: {step.op} {result.outcome}: {code}{step.message}"
    subject = f"{change.target}/{change.name}:{step.op}:{step.code}"
    return Event(EventKind.FAILED, level, text, key=change.key, action=change.action, subject=subject)
