"""
The values of an agent: a strategy, the decision about a command, what is written down, and one session's messages.

Rule 1: values hold no clock, file or socket: times come in as arguments.
Rule 2: what a session publishes is numbered without a gap, so that a subscriber notices a loss.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from reconciler.model.change import Op
from reconciler.model.spec import DEFAULT_ACCOUNT, Config, Wish
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.batches import CAPABILITY as BATCHES
from reconciler.protocol.canonical import hash_of, inventory_digest
from reconciler.protocol.messages import AgentInventory, AgentPresence, Reply, Status, StatusMeta, encode

CAPABILITIES = ("idempotency", "epoch", "config_mode", "spec_hash", "account", BATCHES, "numbered")
"""`numbered`: what a session publishes of itself is numbered without a gap, so that a loss shows."""

SIGNATURES = "signatures"
"""One more capability: commands must be signed."""


class Strategy(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One strategy of an agent. `config` holds what commands declared, without a runner's defaults.

    `wish` is the state to restore after a restart. `doing` is the command that a runner is busy with; it ends with
    the process and is never written down.
    """

    name: str
    strategy_id: str
    strategy_type: str
    exchange: str
    trading_pair: str
    config: Config
    spec_hash: str
    account: str = DEFAULT_ACCOUNT
    state: Lifecycle = Lifecycle.STOPPED
    wish: Wish = Wish.STOPPED
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    echo: StatusMeta | None = None
    doing: Op | None = None

    @property
    def own_hash(self) -> str:
        """`spec_hash` as its fields give it."""
        return hash_of(
            name=self.name,
            strategy_type=self.strategy_type,
            exchange=self.exchange,
            trading_pair=self.trading_pair,
            account=self.account,
            config=self.config,
        )

    def having(self, **fields: Any) -> Strategy:  # noqa: ANN401  (any field of its own)
        """Return a copy with other fields."""
        return msgspec.structs.replace(self, **fields)

    def configured(self, config: Config) -> Strategy:
        """Return a copy with another config and the hash that belongs to it."""
        changed = self.having(config=config)
        return changed.having(spec_hash=changed.own_hash)


class Work(msgspec.Struct, frozen=True, gc=False):
    """What a runner has to do to one strategy.

    `before`: the state to fall back to when it fails. `config`: the whole new config of an UPDATE.
    `paused`: a START that places no orders. `echo`: what the status says of the command once it is done.
    `recovery`: no command asked for it; the agent restores what an earlier process of it ran.
    """

    op: Op
    name: str
    before: Lifecycle
    config: Config | None = None
    paused: bool = False
    echo: StatusMeta | None = None
    recovery: bool = False


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What follows from a command or an event; None where nothing does.

    `reply` None: the command is answered when `work` is done. `strategy`: its value from now on. `gone`: it is
    deleted.
    """

    reply: Reply | None = None
    strategy: Strategy | None = None
    gone: bool = False
    work: Work | None = None


class StateChanged(msgspec.Struct, frozen=True, gc=False):
    """A bot changed its state without a command: it crashed, hit its limit, or somebody stopped it by hand."""

    name: str
    state: Lifecycle
    message: str = ""


class ConfigChanged(msgspec.Struct, frozen=True, gc=False):
    """A bot's config was changed by other means than a command; `config` is the whole new one."""

    name: str
    config: Config


class CachedReply(msgspec.Struct, frozen=True, gc=False):
    """A success that was sent. `at`: Unix time in seconds."""

    op: Op
    name: str
    reply: Reply
    at: float


class SavedState(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier process wrote down. `answers`: by idempotency key, oldest first. `nonces`: request ids that
    were accepted, and when their commands expire.
    """

    strategies: tuple[Strategy, ...] = ()
    answers: tuple[tuple[str, CachedReply], ...] = ()
    nonces: tuple[tuple[str, datetime], ...] = ()
    epoch: int = 0


class Entry(msgspec.Struct, kw_only=True):
    """What one turn changed, to be written down. A strategy of None is deleted; an epoch of 0 is unchanged."""

    strategies: dict[str, Strategy | None] = {}
    answers: dict[str, CachedReply] = {}
    forgotten: list[str] = []
    nonces: dict[str, datetime] = {}
    epoch: int = 0

    def __bool__(self) -> bool:
        return bool(self.strategies or self.answers or self.forgotten or self.nonces or self.epoch)


class AgentSession:
    """The messages that one process of an agent publishes of itself, each numbered higher than all before it.

    `session` identifies this process: statuses, presence and last will carry it.
    """

    def __init__(
        self,
        *,
        agent: str,
        session: str,
        capabilities: Sequence[str],
        strategy_types: Sequence[str],
        heartbeat_s: float,
    ) -> None:
        self.agent = agent
        self.session = session
        self._seq = 0
        self._presence = AgentPresence(
            agent=agent,
            state="online",
            session=session,
            capabilities=tuple(capabilities),
            strategy_types=tuple(strategy_types),
            heartbeat_s=heartbeat_s,
        )

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def status(self, strategy: Strategy, now: str) -> bytes:
        """Encode one strategy's status. `now`: RFC 3339."""
        return encode(
            Status(
                strategy_name=strategy.name,
                state=strategy.state,
                strategy_id=strategy.strategy_id,
                strategy_type=strategy.strategy_type,
                exchange=strategy.exchange,
                trading_pair=strategy.trading_pair,
                config=strategy.config,
                message=strategy.message or None,
                timestamp=now,
                agent=self.agent,
                session=self.session,
                seq=self._next(),
                spec_hash=strategy.spec_hash,
                account=strategy.account,
                observed_at=now,
                conditions=strategy.conditions,
                meta=strategy.echo,
            )
        )

    def presence(self, epoch: int) -> bytes:
        """Encode the presence of an agent that is online. `epoch`: the highest seen."""
        return encode(msgspec.structs.replace(self._presence, seq=self._next(), epoch=epoch))

    def offline(self) -> bytes:
        """Encode the presence of an agent that is gone: the last will, also published on leaving."""
        return encode(msgspec.structs.replace(self._presence, state="offline", seq=self._seq))

    def inventory(self, names: Collection[str]) -> bytes:
        """Encode count and digest of the strategies' names, which prove that a picture is complete."""
        return encode(
            AgentInventory(
                agent=self.agent,
                session=self.session,
                seq=self._next(),
                count=len(names),
                digest=inventory_digest(names),
            )
        )
