"""What is wanted and what is seen, as values: Desired, Observed and what the store remembers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from reconciler.errors import Problem
from reconciler.model.spec import DEFAULT_ACCOUNT, Config, Identity, Key, StrategySpec, Wish


class Lifecycle(StrEnum):
    """The state that a bot reports (protocol.md, Status shapes)."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    STARTING = "starting"
    STOPPING = "stopping"
    ERROR = "error"


class Presence(StrEnum):
    """The three answers about a strategy; only ABSENT is a proof that it does not exist."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One thing that is true of a live strategy, besides its state (such as OrdersMayBeOpen)."""

    type: str
    status: bool = True
    reason: str = ""
    message: str = ""


class ObservedStrategy(msgspec.Struct, frozen=True, gc=False):
    """One strategy as its agent or bot last reported it. None: the peer did not say.

    `seen_at` is the receiver's monotonic clock in seconds; `observed_at` is the sender's text, for display.
    `owner` is the mark of the controller that created it, echoed by an Extended agent.
    """

    name: str
    state: Lifecycle
    strategy_type: str | None = None
    exchange: str | None = None
    trading_pair: str | None = None
    account: str | None = None
    config: Config | None = None
    strategy_id: str | None = None
    message: str = ""
    spec_hash: str | None = None
    owner: str | None = None
    agent: str | None = None
    session: str | None = None
    seq: int = 0
    observed_at: str | None = None
    seen_at: float = 0.0
    conditions: tuple[Condition, ...] = ()


class AgentView(msgspec.Struct, frozen=True, gc=False):
    """An agent's presence as last announced."""

    name: str
    online: bool
    session: str = ""
    complete: bool = False
    """Its inventory's count and digest agree with the statuses that we hold."""
    strategy_types: tuple[str, ...] = ()
    highest_epoch: int = 0
    outdated: bool = False
    """A message of it was lost, and no later one makes up for it."""


class Observed(msgspec.Struct, frozen=True, gc=False):
    """What is known of one target at one moment.

    `present`: names with a status that can be believed now. `presumed_absent`: True when an unheard-of
    name may be created although absence is not proved (Basic peer, protocol.md "one exception").
    `age_s`: seconds since the newest message; None if none was received.
    """

    target: str
    connected: bool
    complete: bool
    extended: bool
    strategies: Mapping[str, ObservedStrategy]
    unbelievable: frozenset[str] = frozenset()
    """Names with a status that can no longer be believed: their agent is offline or replaced."""
    presumed_absent: bool = False
    agents: tuple[AgentView, ...] = ()
    age_s: float | None = None

    def presence(self, name: str) -> Presence:
        """Answer for one name; never ABSENT without proof."""
        if not self.connected or name in self.unbelievable:
            return Presence.UNKNOWN
        if name in self.strategies:
            return Presence.PRESENT
        return Presence.ABSENT if self.complete else Presence.UNKNOWN


class AgentTransition(msgspec.Struct, frozen=True, gc=False):
    """An agent went offline, or came back."""

    name: str
    online: bool


class PictureUpdate(msgspec.Struct, frozen=True, gc=False):
    """What a message changed; true if it changed anything.

    `changed`: strategies whose state, or whether it can be believed, is another than before. `agents`: lost or
    back. `picture`: what is known as a whole (agents, completeness) may be another.
    """

    changed: tuple[str, ...] = ()
    agents: tuple[AgentTransition, ...] = ()
    picture: bool = False

    def __bool__(self) -> bool:
        return self.picture or bool(self.changed) or bool(self.agents)


class Desired(msgspec.Struct, frozen=True, gc=False):
    """What one revision wants. `held`: strategies whose file is invalid under `on_invalid: skip`;
    they are left alone. `unsure`: a file is so wrong that it is unknown which strategies it holds, so that
    none counts as removed. `commit` is the full object name, or `worktree`.
    """

    commit: str
    ref: str
    specs: Mapping[Key, StrategySpec]
    held: frozenset[Key] = frozenset()
    problems: tuple[Problem, ...] = ()
    unsure: bool = False


class InventoryEntry(msgspec.Struct, frozen=True, gc=False):
    """A strategy that we created or adopted, and the spec that we last saw confirmed for it."""

    target: str
    name: str
    strategy_type: str
    exchange: str
    trading_pair: str
    config: Config
    spec_hash: str
    account: str = DEFAULT_ACCOUNT
    commit: str = ""
    wave: int = 0
    protect: bool = False
    retry: bool = False
    """A person asked to try again after an error (`reconciler retry`); cleared by the next success."""
    reached: Wish | None = None
    """The wish that was last seen fulfilled: another state after that is drift. None: never seen."""
    claims: tuple[Identity, ...] = ()
    """As what its creation was asked for as long as no create was confirmed: until then what has its name may be
    somebody else's.
    """

    @classmethod
    def from_spec(
        cls,
        spec: StrategySpec,
        spec_hash: str,
        commit: str,
        *,
        reached: Wish | None = None,
        claims: tuple[Identity, ...] = (),
    ) -> InventoryEntry:
        """What is remembered of a spec that a bot has taken. `spec_hash`: as `protocol.canonical.spec_hash`."""
        return cls(
            target=spec.target,
            name=spec.name,
            strategy_type=spec.strategy_type,
            exchange=spec.exchange,
            trading_pair=spec.trading_pair,
            config=spec.config,
            spec_hash=spec_hash,
            account=spec.account,
            commit=commit,
            wave=spec.wave,
            protect=spec.protect,
            reached=reached,
            claims=claims,
        )

    @property
    def key(self) -> Key:
        return Key(self.target, self.name)

    @property
    def identity(self) -> Identity:
        return (self.strategy_type, self.exchange, self.trading_pair)

    def matches(self, spec: StrategySpec) -> bool:
        """Whether this says all that `from_spec` would say of `spec` in its wished state; cheaper than making one."""
        return (
            self.config == spec.config
            and self.reached is spec.state
            and not self.retry
            and self.wave == spec.wave
            and self.protect == spec.protect
            and self.account == spec.account
            and self.identity == spec.identity
        )


Inventory: TypeAlias = Mapping[Key, InventoryEntry]
"""What the store remembers of what is ours."""
