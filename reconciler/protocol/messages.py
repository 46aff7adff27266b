"""The messages of protocol.md as Structs, and their bytes. Unknown keys of a peer are ignored. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec

from reconciler.model.change import ConfigMode, Op
from reconciler.model.spec import Config
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.canonical import wire_json
from reconciler.protocol.topics import is_name

Number = int | Decimal
Loose = Any
"""A display-only field of somebody else's message: any JSON value is taken, none is relied on."""


class MalformedMessage(ValueError):
    """A payload that is not what its topic carries; the text says where."""


class CommandMeta(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """The Extended part of a command (protocol.md, Extended). Times are RFC 3339 in UTC."""

    v: int
    request_id: str
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
    """One strategy's state, shape 1. Everything after `trading_pair` but `config` is Extended or display."""

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
    session: str
    seq: int = 0
    protocol: int = 1
    capabilities: tuple[str, ...] = ()
    strategy_types: tuple[str, ...] = ()
    heartbeat_s: float = 10.0
    epoch: int = 0


class AgentInventory(msgspec.Struct, kw_only=True, gc=False):
    """Proof that a picture is complete: how many strategies an agent has, and a digest of their names."""

    agent: str
    session: str
    seq: int
    count: int
    digest: str


class Notification(msgspec.Struct, kw_only=True, gc=False):
    """The given notification payload. `timestamp` is RFC 3339 in UTC, to the second."""

    message: str
    level: str
    timestamp: str


T = TypeVar("T")


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind, float_hook=Decimal)


_command = _decoder(Command)
_reply = _decoder(Reply)
_status = _decoder(Status)
_performance = _decoder(Performance)
_log = _decoder(LogRecord)
_presence = _decoder(AgentPresence)
_inventory = _decoder(AgentInventory)
_object = _decoder(dict[str, Any])


def _decode(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(str(error)) from error


_REQUIRED: dict[Op, tuple[str, ...]] = {
    Op.CREATE: ("strategy_type", "exchange", "trading_pair", "config"),
    Op.UPDATE: ("config",),
}


def decode_command(op: Op, payload: bytes) -> Command:
    """Read a command that arrived on `op`'s topic.

    Raises:
        MalformedMessage: not JSON, a key is missing or of the wrong type, or the name is not allowed.
    """
    command = _decode(_command, payload)
    for field in _REQUIRED.get(op, ()):
        if getattr(command, field) in ("", None):
            raise MalformedMessage(f"{op} needs {field} - at `$.{field}`")
    if not is_name(command.strategy_name):
        raise MalformedMessage("strategy_name is not an allowed name - at `$.strategy_name`")
    return command


def decode_reply(payload: bytes) -> Reply:
    return _decode(_reply, payload)


def decode_status(payload: bytes) -> tuple[list[Status], bool]:
    """Read either status shape; True with the list means a complete snapshot (shape 2)."""
    try:
        return [_status.decode(payload)], False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_other_status(payload)


def _decode_other_status(payload: bytes) -> tuple[list[Status], bool]:
    body = _decode(_object, payload)
    if isinstance(body.get("strategies"), list):
        return [_status_of(item) for item in body["strategies"]], True
    return [_status_of(body)], False


def _status_of(body: Any) -> Status:  # noqa: ANN401  (somebody else's JSON)
    if isinstance(body, dict) and "state" not in body and "status" in body:
        body = {**body, "state": body["status"]}
    try:
        return msgspec.convert(body, Status)
    except msgspec.ValidationError as error:
        raise MalformedMessage(str(error)) from error


def decode_performance(payload: bytes) -> Performance:
    return _decode(_performance, payload)


def decode_log(payload: bytes) -> LogRecord:
    return _decode(_log, payload)


def decode_presence(payload: bytes) -> AgentPresence:
    return _decode(_presence, payload)


def decode_inventory(payload: bytes) -> AgentInventory:
    return _decode(_inventory, payload)


def encode(message: msgspec.Struct) -> bytes:
    """Encode any message of this module; keys at their default are left out, as the wire's optional keys."""
    return wire_json(message)
