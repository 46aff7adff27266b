"""
What bots report → messages: responses, statuses, presence, inventory, performance and logs. Pure.

Rule 1: a payload that cannot be read raises MalformedMessage and nothing else.
Rule 2: unknown keys are ignored, and so is a key of the wrong type where it is only for display: what a
peer says of name and state must not be lost to a bad timestamp.
Rule 3: what orders messages (presence, inventory) is read strictly; only our own agents send it.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple, TypeVar

import msgspec

from reconciler.protocol.messages import (
    MAX_SNAPSHOT_BYTES,
    AgentInventory,
    AgentPresence,
    LogRecord,
    MalformedMessage,
    Performance,
    Reply,
    Status,
    decode,
    decode_object,
    decoder_of,
)

T = TypeVar("T")

_reply = decoder_of(Reply)
_status = decoder_of(Status)
_performance = decoder_of(Performance)
_log = decoder_of(LogRecord)
_presence = decoder_of(AgentPresence)
_inventory = decoder_of(AgentInventory)

_ORDER = ("agent", "session", "seq")
"""Only together do they order a status; a Basic peer may use such a key for something of its own."""


_TYPES: dict[type, dict[str, Any]] = {
    kind: {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for kind in (Reply, Status, Performance, LogRecord)
}
"""The keys of what is read tolerantly, each with its type."""


def decode_presence(payload: bytes) -> AgentPresence:
    return decode(_presence, payload)


def decode_inventory(payload: bytes) -> AgentInventory:
    return decode(_inventory, payload)


def decode_reply(payload: bytes) -> Reply:
    return _decode_tolerantly(_reply, Reply, payload)


def decode_performance(payload: bytes) -> Performance:
    return _decode_tolerantly(_performance, Performance, payload)


def decode_log(payload: bytes) -> LogRecord:
    return _decode_tolerantly(_log, LogRecord, payload)


def _decode_tolerantly(decoder: msgspec.json.Decoder[T], kind: type[T], payload: bytes) -> T:
    try:
        return decode(decoder, payload)
    except MalformedMessage:
        return _salvage(decode_object(payload), kind)


def _salvage(body: Any, kind: type[T]) -> T:  # noqa: ANN401  (any JSON value)
    """Rule 2: read `body` without its keys of the wrong type.

    Raises:
        MalformedMessage: one of those is required, or it is no object at all.
    """
    if not isinstance(body, dict):
        raise MalformedMessage(f"expected an object, got {type(body).__name__}")
    keys = set()
    for key, wanted in _TYPES[kind].items():
        with contextlib.suppress(msgspec.ValidationError):
            if key in body:
                msgspec.convert(body[key], wanted)
                keys.add(key)
    if any(key in body and key not in keys for key in _ORDER):
        keys.difference_update(_ORDER)
    try:
        return msgspec.convert({key: body[key] for key in body if key in keys}, kind)
    except msgspec.ValidationError as error:
        raise MalformedMessage(str(error)) from error


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
        return StatusReport((decode(_status, payload, MAX_SNAPSHOT_BYTES),))
    except MalformedMessage:
        body = decode_object(payload, MAX_SNAPSHOT_BYTES)
    listed = body.get("strategies")
    if not isinstance(listed, list):
        return _single(body)
    reports = [_single(item) for item in listed if _name_in(item)]
    statuses = tuple(status for report in reports for status in report.statuses)
    unreadable = tuple(name for report in reports for name in report.unreadable)
    return StatusReport(statuses, unreadable, snapshot=True, complete=len(reports) == len(listed))


def _single(body: dict[str, Any]) -> StatusReport:
    aliased = {**body, "state": body["status"]} if "state" not in body and "status" in body else body
    try:
        return StatusReport((_salvage(aliased, Status),))
    except MalformedMessage:
        if not _name_in(body):
            raise
        return StatusReport((), (_name_in(body),))


def _name_in(body: Any) -> str:  # noqa: ANN401  (any JSON value)
    name = body.get("strategy_name") if isinstance(body, dict) else None
    return name if isinstance(name, str) else ""
