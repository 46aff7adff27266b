"""What happened: results of steps, of changes, of a pass; and events for people."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from reconciler.model.change import Action, Change, Op, Plan
from reconciler.model.spec import Key


class Outcome(StrEnum):
    """How a step or change ended. UNKNOWN is a timeout: observe, then decide; never "failed"."""

    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class StepResult(msgspec.Struct, frozen=True, gc=False):
    """One step's end. `code` is the wire's error_code, empty unless FAILED."""

    op: Op
    outcome: Outcome
    attempts: int = 1
    duration_s: float = 0.0
    code: str = ""
    message: str = ""


class ChangeResult(msgspec.Struct, frozen=True, gc=False):
    """One change's end: CONFIRMED only when every step was."""

    change: Change
    outcome: Outcome
    steps: tuple[StepResult, ...] = ()

    @property
    def message(self) -> str:
        """The last step's message: why it ended as it did."""
        return self.steps[-1].message if self.steps else ""


class SyncReport(msgspec.Struct, frozen=True, gc=False):
    """One pass: the plan and what became of each change that acts."""

    plan: Plan
    results: tuple[ChangeResult, ...] = ()
    duration_s: float = 0.0
    refused: str = ""
    """Why nothing was sent at all (a brake, live state unknown); empty otherwise."""


class Level(StrEnum):
    """Severity of an event, as the given notification payload writes it."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class EventKind(StrEnum):
    """What an event reports; the value names it in JSON."""

    SYNC_STARTED = "sync_started"
    SYNC_FINISHED = "sync_finished"
    CHANGED = "changed"
    DRIFT_FOUND = "drift_found"
    DRIFT_HEALED = "drift_healed"
    BLOCKED = "blocked"
    PENDING = "pending"
    REFUSED = "refused"
    FAILED = "failed"
    INVALID = "invalid"
    AGENT_LOST = "agent_lost"
    AGENT_BACK = "agent_back"
    BROKER_LOST = "broker_lost"
    BROKER_BACK = "broker_back"
    SOURCE_LOST = "source_lost"
    SOURCE_BACK = "source_back"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One thing to report to people, once. `subject` plus `kind` identify what stays broken."""

    kind: EventKind
    level: Level
    message: str
    key: Key | None = None
    action: Action | None = None
    subject: str = ""
