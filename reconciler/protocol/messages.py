"""The door to all messages: their shapes, reading them and writing them. Pure."""

from __future__ import annotations

import msgspec

from reconciler.protocol.canonical import wire_json
from reconciler.protocol.decoding import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_SNAPSHOT_BYTES,
    MalformedMessage,
    StatusReport,
    decode_command,
    decode_inventory,
    decode_log,
    decode_object,
    decode_performance,
    decode_presence,
    decode_reply,
    decode_status,
)
from reconciler.protocol.shapes import (
    AgentInventory,
    AgentPresence,
    Command,
    CommandMeta,
    LogRecord,
    Notification,
    Performance,
    Position,
    Reply,
    ReplyMeta,
    Status,
    StatusMeta,
)

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_SNAPSHOT_BYTES",
    "AgentInventory",
    "AgentPresence",
    "Command",
    "CommandMeta",
    "LogRecord",
    "MalformedMessage",
    "Notification",
    "Performance",
    "Position",
    "Reply",
    "ReplyMeta",
    "Status",
    "StatusMeta",
    "StatusReport",
    "decode_command",
    "decode_inventory",
    "decode_log",
    "decode_object",
    "decode_performance",
    "decode_presence",
    "decode_reply",
    "decode_status",
    "encode",
]


def encode(message: msgspec.Struct) -> bytes:
    """Encode any message of `shapes`; keys at their default are left out, as the wire's optional keys."""
    return wire_json(message)
