"""
A message on a command topic → the command, and where its reply goes.

Rule 1: no clock, file or socket: the same message gives the same request.
Rule 2: a reply goes to the response topic or below it, wherever the sender asks for it.
Rule 3: what cannot be read is refused with as much of its `meta` as lets the sender recognise the reply.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.agent.responses import Refusal
from reconciler.model.change import Op
from reconciler.protocol.batches import unpack_commands
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import (
    CommandMessage,
    CommandMeta,
    MalformedMessage,
    decode_command,
    decode_object,
)
from reconciler.protocol.topics import BATCH, Topics
from reconciler.transport.base import Message, Properties

IN_A_BATCH = Properties()
"""The properties of each message of a batch; the batch's own apply to none of them."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where a reply goes. `meta` None: to a Basic peer, which gets the given shape and nothing more.

    `together`: the command came in a batch, so its reply may go in a batch as well.
    """

    topic: str
    correlation_data: bytes | None = None
    meta: CommandMeta | None = None
    together: bool = False


class Request(msgspec.Struct, frozen=True, gc=False):
    """One command that was read."""

    op: Op
    command: CommandMessage
    route: Route


class UnreadableCommand(Exception):
    """A message that is no command; `refusal` is the reply to `route`."""

    def __init__(self, route: Route, op: Op | None, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.route = route
        self.op = op
        self.refusal = refusal


def read_batch(topics: Topics, message: Message) -> list[tuple[str, Message]]:
    """Split a batch: for each command the last level of its topic, and the message that it would be alone.

    Raises:
        UnreadableCommand: it is no batch.
    """
    try:
        commands = unpack_commands(message.payload)
    except MalformedMessage as error:
        raise UnreadableCommand(_route(topics, message, None), None, _malformed(str(error))) from None
    prefix = topics.batch.removesuffix(BATCH)
    return [
        (level, Message(f"{prefix}{level}", payload, properties=IN_A_BATCH)) for level, payload in commands
    ]


def read_request(topics: Topics, level: str, message: Message) -> Request:
    """Read what came on `{root}/strategy/{level}`.

    Raises:
        UnreadableCommand: with the refusal that its sender gets.
    """
    try:
        op = Op(level)
    except ValueError:
        refusal = Refusal(ErrorCode.UNSUPPORTED_OPERATION, f"there is no operation {level}")
        raise UnreadableCommand(_route(topics, message, _salvaged(message.payload)), None, refusal) from None
    try:
        command = decode_command(op, message.payload)
    except MalformedMessage as error:
        route = _route(topics, message, _salvaged(message.payload))
        raise UnreadableCommand(route, op, _malformed(str(error))) from None
    route = _route(topics, message, command.meta)
    wanted = _wanted_topic(message, command.meta)
    if wanted and not topics.may_reply_to(wanted):
        reason = f"answers go to {topics.response} or below it, nowhere else"
        raise UnreadableCommand(route, op, Refusal(ErrorCode.INVALID_PAYLOAD, reason, field="meta.reply_to"))
    return Request(op, command, route)


def _malformed(text: str) -> Refusal:
    """The decoder reports `what - at $.path`; a reply has field and reason apart."""
    reason, _, path = text.partition(" - at ")
    return Refusal(ErrorCode.INVALID_PAYLOAD, reason, field=path.strip("`").removeprefix("$").strip("."))


def _wanted_topic(message: Message, meta: CommandMeta | None) -> str:
    """MQTT 5 Response Topic, else `meta.reply_to`; empty if neither is given (protocol.md, Response)."""
    properties = message.properties
    return (properties and properties.response_topic) or (meta.reply_to if meta else "")


def _route(topics: Topics, message: Message, meta: CommandMeta | None) -> Route:
    wanted = _wanted_topic(message, meta)
    topic = wanted if wanted and topics.may_reply_to(wanted) else topics.response
    together = message.properties is IN_A_BATCH
    correlation_data = message.properties.correlation_data if message.properties else None
    return Route(topic, correlation_data, meta, together)


def _salvaged(payload: bytes) -> CommandMeta | None:
    """Read as much of a broken command's `meta` as lets its sender recognise the reply."""
    try:
        meta: Any = decode_object(payload).get("meta")
        return CommandMeta(
            v=1,
            request_id=msgspec.convert(meta["request_id"], str),
            reply_to=msgspec.convert(meta.get("reply_to", ""), str),
        )
    except (MalformedMessage, msgspec.ValidationError, TypeError, KeyError, AttributeError):
        return None
