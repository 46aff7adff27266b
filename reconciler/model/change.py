"""A plan as a value: what will be done to each strategy, why, in which steps, at what cost."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from reconciler.model.spec import Config, Key, StrategySpec, Value
from reconciler.model.state import Lifecycle


class Op(StrEnum):
    """A command of the given API; the value is its topic's last level."""

    STOP = "stop"
    PAUSE = "pause"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"
    START = "start"
    RESUME = "resume"


STATE_AFTER = {
    Op.START: Lifecycle.RUNNING,
    Op.RESUME: Lifecycle.RUNNING,
    Op.STOP: Lifecycle.STOPPED,
    Op.PAUSE: Lifecycle.PAUSED,
}
"""The state in which each of these commands is done. CREATE leaves a strategy stopped; UPDATE changes no state."""


class Action(StrEnum):
    """What a change does; the value is its mark in a plan, the order is the order of application."""

    STOP = "■"
    PAUSE = "‖"
    DELETE = "-"
    REPLACE = "±"
    UPDATE = "~"
    CREATE = "+"
    START = "▶"
    RESUME = "▷"
    BLOCKED = "!"
    WAIT = "…"
    UNKNOWN = "?"
    UNMANAGED = "·"

    @property
    def acts(self) -> bool:
        """Whether a change of this kind has steps."""
        return self not in _PASSIVE


_PASSIVE = frozenset({Action.BLOCKED, Action.WAIT, Action.UNKNOWN, Action.UNMANAGED})


class Reason(StrEnum):
    """Why a change is there; the value is the sentence that people read."""

    NEW = "new in Git"
    CHANGED = "changed in Git"
    DRIFTED = "live differs from Git"
    RESTART_NEEDED = "a changed field needs a restart"
    KEY_REMOVED = "a field was removed in Git"
    IDENTITY_CHANGED = "cannot change in place"
    STATE = "live state differs from Git"
    REMOVED = "removed from Git"
    ADOPTED = "taken over"
    RETRY = "a person asked to try again"
    PRESUMED_ABSENT = "new in Git; the peer has not named it, and refuses to create what exists"
    NOT_OURS = "live strategy is not ours; adopt: true takes it over"
    NOT_OURS_UNMANAGED = "not in Git and not ours"
    PROTECTED = "protect: true forbids delete and replace"
    SUSPENDED = "suspended in Git"
    HELD = "its file is invalid; left as it is"
    BOT_ERROR = "the bot stopped itself with an error; a changed spec or `reconciler retry` goes on"
    IN_TRANSIT = "already starting or stopping"
    UNSEEN = "live state unknown"
    PRUNE_OFF = "removed from Git, but sync.prune is off"
    HEAL_OFF = "live differs from Git, but sync.self_heal is off"
    BASIC_REPLACE = "a field was removed in Git; this peer cannot remove one by an update"
    REJECTED = "the bot refused this spec; a changed spec or `reconciler retry` goes on"
    ACCOUNT = "a command to this peer cannot name an account"


class Cost(StrEnum):
    """What an update costs the running bot."""

    HOT = "hot"
    RESTART = "restart"
    RECREATE = "recreate"


class FieldChange(msgspec.Struct, frozen=True, gc=False):
    """One field that differs. `path` is dotted: `config.bid_spread`, `trading_pair`, `state`.

    `unit` is the schema's x-unit (percent, fraction, base, quote, seconds) or empty.
    `removed`: the key is to go; `added`: it is not there yet.
    """

    path: str
    before: Value
    after: Value
    unit: str = ""
    added: bool = False
    removed: bool = False


class ConfigMode(StrEnum):
    MERGE = "merge"
    REPLACE = "replace"


class Step(msgspec.Struct, frozen=True, gc=False):
    """One command and what must be seen before it counts as done.

    `spec`: whole spec for CREATE. `config`: the keys to send for UPDATE.
    `spec_hash`: of the spec after the step; None for a DELETE.
    """

    op: Op
    spec: StrategySpec | None = None
    config: Config | None = None
    config_mode: ConfigMode = ConfigMode.MERGE
    spec_hash: str | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """The one thing that happens to one strategy. `steps` is empty unless `action.acts`.

    `desired`: the spec that it leads to; None for a DELETE, UNMANAGED or UNKNOWN without a file.
    `detail`: one more fact for people, such as the bot's own error message.
    `live_digest`: sha256 over what was observed of the strategy, if the change acts.
    """

    target: str
    name: str
    action: Action
    reason: Reason
    steps: tuple[Step, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    cost: Cost | None = None
    wave: int = 0
    detail: str = ""
    desired: StrategySpec | None = None
    live_digest: str = ""

    @property
    def key(self) -> Key:
        return Key(self.target, self.name)


class TargetSummary(msgspec.Struct, frozen=True, gc=False):
    """What was seen of one target when the plan was made."""

    target: str
    live: int
    connected: bool
    complete: bool
    extended: bool
    age_s: float | None


class Plan(msgspec.Struct, frozen=True, gc=False):
    """All changes of one pass, in order of application.

    `live_digest`: sha256 over what was observed of every strategy that the plan touches; a saved plan is
    refused when it no longer agrees.
    `forget`: strategies of the inventory that Git does not want and that are proved absent.
    """

    commit: str
    ref: str
    changes: tuple[Change, ...]
    unchanged: int
    targets: tuple[TargetSummary, ...] = ()
    live_digest: str = ""
    forget: tuple[Key, ...] = ()

    @property
    def acting(self) -> tuple[Change, ...]:
        """The changes that send commands."""
        return tuple(change for change in self.changes if change.action.acts)
