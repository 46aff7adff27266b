"""
Several commands, or several responses, in one message (Extended; capability `batch`). Pure.

Rule 1: each one in it is byte for byte what travels alone: with its own `meta`, and signed for its own topic. A batch is
an envelope and nothing more.
Rule 2: a payload that is no batch raises MalformedMessage and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from reconciler.model.change import Op
from reconciler.protocol.messages import MAX_BYTES, MalformedMessage

CAPABILITY = "batch"
"""What an agent announces that understands batches."""

MAX_ITEMS = 100
MAX_BATCH_BYTES = 256 * 1024
"""How much a sender puts into one: more saves nothing, and a message that is lost should not be a whole fleet."""


class _Item(msgspec.Struct, gc=False):
    op: str
    command: msgspec.Raw


class _Commands(msgspec.Struct, gc=False):
    commands: list[_Item]


class _Responses(msgspec.Struct, gc=False):
    responses: list[msgspec.Raw]


_commands = msgspec.json.Decoder(_Commands)
_responses = msgspec.json.Decoder(_Responses)

T = TypeVar("T")


def batched(items: Sequence[T], size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """Divide `items`, each so many bytes long, into what one batch may hold, in order."""
    begin = total = 0
    for at, item in enumerate(items):
        length = size(item)
        if at > begin and (at - begin == MAX_ITEMS or total + length > MAX_BATCH_BYTES):
            yield items[begin:at]
            begin, total = at, 0
        total += length
    if items:
        yield items[begin:]


def pack_commands(commands: Iterable[tuple[Op, bytes]]) -> bytes:
    """Put commands, encoded, into one payload."""
    items = (b'{"op":"%s","command":%s}' % (op.encode(), payload) for op, payload in commands)
    return b'{"commands":[%s]}' % b",".join(items)


def unpack_commands(payload: bytes) -> list[tuple[str, bytes]]:
    """The commands in a batch: each with the last level of its topic, not yet read.

    Raises:
        MalformedMessage: it is no batch, or too long.
    """
    return [(item.op, bytes(item.command)) for item in _decode(_commands, payload).commands]


def pack_responses(responses: Iterable[bytes]) -> bytes:
    """Put responses, encoded, into one payload."""
    return b'{"responses":[%s]}' % b",".join(responses)


def unpack_responses(payload: bytes) -> list[bytes]:
    """The responses in a batch, not yet read.

    Raises:
        MalformedMessage: it is no batch, or too long.
    """
    return [bytes(response) for response in _decode(_responses, payload).responses]


def _decode(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    """Read an envelope; how deep its items are nested is checked when each is read."""
    if len(payload) > MAX_BYTES:
        raise MalformedMessage(f"{len(payload)} bytes, more than the {MAX_BYTES} that are read")
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(str(error)) from error
