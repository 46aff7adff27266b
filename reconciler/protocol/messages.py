"""
The messages of protocol.md as Structs, written to bytes, and read from them strictly. Pure.

Rule 1: a payload that cannot be read raises MalformedMessage and nothing else.
Rule 2: unknown keys are ignored.
Rule 3: commands are read strictly: what would have to be guessed is refused. What bots say of themselves is read
tolerantly (`reports`).
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from reconciler.model.change import ConfigMode, Op
from reconciler.model.spec import Config, is_name
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.canonical import wire_json
from reconciler.protocol.times import parse_time

Number = int | Decimal
Filled = Annotated[str, msgspec.Meta(min_length=1)]
Loose = Any
"""A display-only field of a foreign message: any JSON value is accepted, none is relied on."""


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


class CommandMessage(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
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

    `seq` counts all statuses of a session: it never goes back, also not when a strategy is created again.
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
        """Whether an Extended agent wrote it, so that its order is known."""
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


def encode(message: msgspec.Struct) -> bytes:
    """Encode any message; keys at their default are left out, as the wire's optional keys."""
    return wire_json(message)


# -- reading

MAX_BYTES = 1 << 20
"""Longest payload about one strategy: a strategy file may have 1 MiB, and no honest message comes near."""

MAX_SNAPSHOT_BYTES = 16 << 20
"""Longest status payload: a snapshot names a whole fleet, 400 bytes a strategy."""

MAX_DEPTH = 40
"""Deepest nesting: 32 levels of a config, as in a file, and what is around it."""

_NUMBERS = Context(prec=1_000, Emax=999, Emin=-999, traps=[InvalidOperation, Inexact, Overflow])
"""Numbers are taken exactly or not at all: a float ends at 1e308, and 1e999999999 would cost gigabytes."""


class MalformedMessage(ValueError):
    """A payload that is not what its topic carries; the text says where."""


T = TypeVar("T")


def decoder_of(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder for one kind of message, for `decode`; numbers are int or Decimal, as `_NUMBERS` allows."""
    return msgspec.json.Decoder(kind, float_hook=_NUMBERS.create_decimal)


_command = decoder_of(CommandMessage)
_object = decoder_of(dict[str, Any])

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)


def decode(decoder: msgspec.json.Decoder[T], payload: bytes, limit: int = MAX_BYTES) -> T:
    """Decode strictly, within `limit` bytes and MAX_DEPTH.

    Raises:
        MalformedMessage: too long, too deep, not JSON or not what `decoder` is for.
    """
    if len(payload) > limit:
        raise MalformedMessage(f"{len(payload)} bytes, more than the {limit} that are read")
    try:
        if payload.count(b"{") + payload.count(b"[") > MAX_DEPTH and _too_deep(_object.decode(payload)):
            raise MalformedMessage(f"nested deeper than {MAX_DEPTH} levels")
        return decoder.decode(payload)
    except _UNREADABLE as error:
        raise MalformedMessage(str(error)) from error


def _too_deep(value: Any) -> bool:  # noqa: ANN401  (any JSON value)
    level = [value]
    for _ in range(MAX_DEPTH):
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [
            child for item in containers for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def decode_object(payload: bytes, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Read a payload as it stands, unknown keys included; numbers are int or Decimal."""
    return decode(_object, payload, limit)


_REQUIRED: dict[Op, tuple[str, ...]] = {
    Op.CREATE: ("strategy_type", "exchange", "trading_pair", "config"),
    Op.UPDATE: ("config",),
}


def decode_command(op: Op, payload: bytes) -> CommandMessage:
    """Read a command that arrived on `op`'s topic.

    Raises:
        MalformedMessage: not JSON, a key is missing or of the wrong type, or the name or `meta.expires_at` is not allowed.
    """
    command = decode(_command, payload)
    for field in _REQUIRED.get(op, ()):
        if getattr(command, field) in ("", None):
            raise MalformedMessage(f"{op} needs {field} - at `$.{field}`")
    if not is_name(command.strategy_name):
        raise MalformedMessage("strategy_name is not an allowed name - at `$.strategy_name`")
    if command.meta is not None and command.meta.expires_at is not None:
        try:
            parse_time(command.meta.expires_at)
        except ValueError as error:
            raise MalformedMessage(f"{error} - at `$.meta.expires_at`") from error
    return command
