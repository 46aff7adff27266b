"""The messages of protocol.md as Structs: which keys each has, of which type. Nothing is read or written here. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from reconciler.model.change import ConfigMode
from reconciler.model.spec import Config
from reconciler.model.state import Condition, Lifecycle

Number = int | Decimal
Filled = Annotated[str, msgspec.Meta(min_length=1)]
Loose = Any
"""A display-only field of somebody else's message: any JSON value is taken, none is relied on."""


class CommandMeta(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """The Extended part of a command (protocol.md, Extended). Times are RFC 3339 in UTC."""

    v: Literal[1]
    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    reply_to: str = ""
    idempotency_key: str = ""
    spec_hash: str | None = None
    config_mode: ConfigMode = ConfigMode.MERGE
    commit: str = ""
    owner: str = ""
    account: str = ""
    epoch: int = 0
    expires_at: str | None = None
    api_key: str = ""
    signature: str = ""


class Command(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """Any command; which keys it has follows from its topic's op. Key order is the given one."""

    strategy_name: str
    strategy_type: str = ""
    exchange: str = ""
    trading_pair: str = ""
    config: Config | None = None
    meta: CommandMeta | None = None


class ReplyMeta(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """The Extended part of a response."""

    request_id: str = ""
    op: str = ""
    strategy_name: str = ""
    spec_hash: str | None = None
    phase: Literal["accepted", "applied"] = "applied"
    replayed: bool = False
    retryable: bool = False
    retry_after_s: float | None = None


class Reply(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A response in the given shape; `status` is `success` or `error`."""

    status: Literal["success", "error"]
    message: str = ""
    data: dict[str, Any] | None = None
    error_code: str = ""
    details: dict[str, Any] | None = None
    meta: ReplyMeta | None = None

    @property
    def ok(self) -> bool:
        return self.status == "success"


class StatusMeta(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """What an Extended agent echoes of the last command that it applied to a strategy."""

    owner: str = ""
    commit: str = ""
    epoch: int = 0


class Status(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """One strategy's state, shape 1. `agent`, `session` and `seq` order it; a Basic peer has none of them.

    `seq` counts all statuses of a session: it never goes back, also not when a strategy is made anew.
    """

    strategy_name: str
    state: Lifecycle
    strategy_id: Loose = None
    strategy_type: str | None = None
    exchange: str | None = None
    trading_pair: str | None = None
    config: Config | None = None
    message: Loose = None
    timestamp: Loose = None
    agent: str | None = None
    session: str | None = None
    seq: int = 0
    spec_hash: str | None = None
    account: str | None = None
    observed_at: Loose = None
    conditions: tuple[Condition, ...] = ()
    meta: StatusMeta | None = None

    @property
    def extended(self) -> bool:
        """Whether an agent of ours wrote it, so that its order can be told."""
        return bool(self.agent and self.session)


class Position(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    exchange: str = ""
    trading_pair: str = ""
    side: str = ""
    amount: Number = 0
    breakeven_price: Number = 0
    unrealized_pnl_quote: Number = 0


class Performance(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """Performance of one strategy; amounts in the pair's quote asset. None: not known."""

    strategy_name: str
    timestamp: Loose
    realized_pnl_quote: Number | None = None
    unrealized_pnl_quote: Number | None = None
    net_pnl_quote: Number | None = None
    volume_quote: Number | None = None
    fees_quote: Number | None = None
    open_orders: int | None = None
    positions: tuple[Position, ...] | None = None


class LogRecord(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    strategy_name: str
    timestamp: Loose = None
    level: str = "INFO"
    message: str = ""
    logger: str = ""


class AgentPresence(msgspec.Struct, kw_only=True, gc=False):
    """An agent's birth, heartbeat and will. Birth and will carry the same `session`."""

    agent: str
    state: Literal["online", "offline"]
    session: Filled
    seq: int = 0
    protocol: int = 1
    capabilities: tuple[str, ...] = ()
    strategy_types: tuple[str, ...] = ()
    heartbeat_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    epoch: int = 0


class AgentInventory(msgspec.Struct, kw_only=True, gc=False):
    """Proof that a picture is complete: how many strategies an agent has, and a digest of their names."""

    agent: str
    session: Filled
    seq: int
    count: int
    digest: str


class Notification(msgspec.Struct, kw_only=True, gc=False):
    """The given notification payload. `timestamp` is RFC 3339 in UTC, to the second."""

    message: str
    level: str
    timestamp: str
