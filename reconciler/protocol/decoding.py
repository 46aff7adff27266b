"""
Bytes → messages, whoever sent them. Pure.

Rule 1: a payload that cannot be read raises MalformedMessage and nothing else.
Rule 2: unknown keys are ignored, and so is a key of the wrong type where it is only for display: what a
peer says of name and state must not be lost to a bad timestamp.
Rule 3: commands are read strictly: what we would have to guess, we refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Context, Inexact, InvalidOperation, Overflow
from typing import Any, NamedTuple, TypeVar

import msgspec

from reconciler.model.change import Op
from reconciler.protocol.shapes import (
    AgentInventory,
    AgentPresence,
    Command,
    LogRecord,
    Performance,
    Reply,
    Status,
)
from reconciler.protocol.times import parse_time
from reconciler.protocol.topics import is_name

MAX_BYTES = 1 << 20
"""Longest payload about one strategy: a strategy file may have 1 MiB, and no honest message comes near."""

MAX_SNAPSHOT_BYTES = 16 << 20
"""Longest status payload: a snapshot names a whole fleet, 400 bytes a strategy."""

MAX_DEPTH = 40
"""Deepest nesting: 32 levels of a config, as in a file, and what stands around it."""

_NUMBERS = Context(prec=1_000, Emax=999, Emin=-999, traps=[InvalidOperation, Inexact, Overflow])
"""Numbers are taken exactly or not at all: a float ends at 1e308, and 1e999999999 would cost gigabytes."""


class MalformedMessage(ValueError):
    """A payload that is not what its topic carries; the text says where."""


T = TypeVar("T")


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind, float_hook=_NUMBERS.create_decimal)


_command = _decoder(Command)
_reply = _decoder(Reply)
_status = _decoder(Status)
_performance = _decoder(Performance)
_log = _decoder(LogRecord)
_presence = _decoder(AgentPresence)
_inventory = _decoder(AgentInventory)
_object = _decoder(dict[str, Any])

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)


def _decode(decoder: msgspec.json.Decoder[T], payload: bytes, limit: int = MAX_BYTES) -> T:
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
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:  # noqa: ANN401  (any JSON value)
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def decode_object(payload: bytes) -> dict[str, Any]:
    """Read a payload as it stands, unknown keys included; numbers are int or Decimal."""
    return _decode(_object, payload)


# Commands: strict.

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
    _check_end(command)
    return command


def _check_end(command: Command) -> None:
    if command.meta is not None and command.meta.expires_at is not None:
        try:
            parse_time(command.meta.expires_at)
        except ValueError as error:
            raise MalformedMessage(f"{error} - at `$.meta.expires_at`") from error


# What peers say: as much of it as can be read.

_ORDER = ("agent", "session", "seq")
"""Only together do they order a status; a Basic peer may use such a key for something of its own."""


def _types_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


_TYPES: dict[type, dict[str, Any]] = {
    kind: _types_of(kind) for kind in (Reply, Status, Performance, LogRecord)
}


def _readable(body: dict[str, Any], types: dict[str, Any]) -> Iterator[str]:
    """Name the keys of `body` that are known and of their type."""
    for key, kind in types.items():
        if key in body:
            try:
                msgspec.convert(body[key], kind)
            except msgspec.ValidationError:
                continue
            yield key


def _salvage(body: Any, kind: type[T]) -> T:  # noqa: ANN401  (somebody else's JSON)
    """Read `body` without its keys of the wrong type.

    Raises:
        MalformedMessage: one of those is required, or it is no object at all.
    """
    if not isinstance(body, dict):
        raise MalformedMessage(f"expected an object, got {type(body).__name__}")
    keys = set(_readable(body, _TYPES[kind]))
    if any(key in body and key not in keys for key in _ORDER):
        keys.difference_update(_ORDER)
    try:
        return msgspec.convert({key: body[key] for key in body if key in keys}, kind)
    except msgspec.ValidationError as error:
        raise MalformedMessage(str(error)) from error


def _decode_leniently(decoder: msgspec.json.Decoder[T], kind: type[T], payload: bytes) -> T:
    try:
        return _decode(decoder, payload)
    except MalformedMessage:
        return _salvage(_decode(_object, payload), kind)


def decode_reply(payload: bytes) -> Reply:
    return _decode_leniently(_reply, Reply, payload)


def decode_performance(payload: bytes) -> Performance:
    return _decode_leniently(_performance, Performance, payload)


def decode_log(payload: bytes) -> LogRecord:
    return _decode_leniently(_log, LogRecord, payload)


class StatusReport(NamedTuple):
    """What one status message says.

    `unreadable`: strategies that it names but whose state is none that we know: they exist. `snapshot`: it
    has shape 2. `complete`: so it has, and each strategy in it could at least be named.
    """

    statuses: tuple[Status, ...]
    unreadable: tuple[str, ...] = ()
    snapshot: bool = False
    complete: bool = False


def decode_status(payload: bytes) -> StatusReport:
    """Read either status shape; `status` is an alias of `state` in both.

    Raises:
        MalformedMessage: it names no strategy and is no snapshot.
    """
    try:
        return StatusReport((_decode(_status, payload, MAX_SNAPSHOT_BYTES),))
    except MalformedMessage:
        body = _decode(_object, payload, MAX_SNAPSHOT_BYTES)
    listed = body.get("strategies")
    return _snapshot(listed) if isinstance(listed, list) else _single(body)


def _single(body: dict[str, Any]) -> StatusReport:
    try:
        return StatusReport((_salvage(_with_state(body), Status),))
    except MalformedMessage:
        if not _name_in(body):
            raise
        return StatusReport((), (_name_in(body),))


def _snapshot(listed: list[Any]) -> StatusReport:
    reports = [_single(body) for body in listed if _name_in(body)]
    statuses = tuple(status for report in reports for status in report.statuses)
    unreadable = tuple(name for report in reports for name in report.unreadable)
    return StatusReport(statuses, unreadable, snapshot=True, complete=len(reports) == len(listed))


def _with_state(body: Any) -> Any:  # noqa: ANN401  (somebody else's JSON)
    if isinstance(body, dict) and "state" not in body and "status" in body:
        return {**body, "state": body["status"]}
    return body


def _name_in(body: Any) -> str:  # noqa: ANN401  (somebody else's JSON)
    name = body.get("strategy_name") if isinstance(body, dict) else None
    return name if isinstance(name, str) else ""


def decode_presence(payload: bytes) -> AgentPresence:
    return _decode(_presence, payload)


def decode_inventory(payload: bytes) -> AgentInventory:
    return _decode(_inventory, payload)
