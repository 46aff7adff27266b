"""
Events → data for files that are fine, at little more than the cost of the events.

Rule 1: it looks up no places and explains nothing: whatever is not plainly fine is left to the careful reader.
Rule 2: what it does return is exactly what the careful reader would; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    YAMLError,
)

from reconciler.sources.strict.events import NextEvent
from reconciler.sources.strict.scalars import UNSURE_STARTS, NotPlain, plain
from reconciler.sources.strict.shape import MAX_DEPTH, MAX_NODES, Document

_NEEDS_CARE = (b"&", b"*", b"!")
"""Without one of these in the text there is no anchor, alias or tag in it, and no event has to be asked."""

_SURELY_FEW_BYTES = MAX_NODES // 2
"""No text has more than two nodes a byte (`[?,?]`): up to here nobody has to count."""

_UNSURE_KEYS = UNSURE_STARTS | {"<"}


class _NeedsCare(Exception):
    """Something that the careful reader has to look at."""


def read_quickly(text: bytes, file: str, events: Callable[[bytes], NextEvent]) -> list[Document] | None:
    """The documents of a file that has nothing to complain of; None for one that may have."""
    if len(text) > _SURELY_FEW_BYTES or any(mark in text for mark in _NEEDS_CARE):
        return None
    try:
        return _documents(events(text), file)
    except (_NeedsCare, NotPlain, YAMLError, UnicodeDecodeError):
        return None


def _documents(next_event: NextEvent, file: str) -> list[Document]:
    found: list[Document] = []
    index = 0
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is not DocumentStartEvent:
            continue
        first = next_event()
        if event.version or event.tags:
            raise _NeedsCare
        if type(first) is MappingStartEvent:
            mark: Any = first.start_mark
            found.append(Document(file, index, mark.line + 1, _mapping(next_event, 1)))
        elif type(first) is not ScalarEvent or first.style or plain(first.value) is not None:
            raise _NeedsCare
        index += 1
    return found


def _mapping(next_event: NextEvent, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while type(event := next_event()) is ScalarEvent:
        key = event.value
        if key in found or (key[:1] in _UNSURE_KEYS and not event.style and _is_no_text(key)):
            raise _NeedsCare
        event = next_event()
        if type(event) is ScalarEvent:
            text = event.value
            found[key] = plain(text) if text[:1] in UNSURE_STARTS and not event.style else text
        else:
            found[key] = _collection(event, next_event, depth + 1)
    if type(event) is not MappingEndEvent:
        raise _NeedsCare
    return found


def _sequence(next_event: NextEvent, depth: int) -> list[Any]:
    found: list[Any] = []
    while type(event := next_event()) is not SequenceEndEvent:
        if type(event) is ScalarEvent:
            text = event.value
            found.append(plain(text) if text[:1] in UNSURE_STARTS and not event.style else text)
        else:
            found.append(_collection(event, next_event, depth + 1))
    return found


def _collection(event: Any, next_event: NextEvent, depth: int) -> Any:  # noqa: ANN401
    if depth > MAX_DEPTH:
        raise _NeedsCare
    if type(event) is MappingStartEvent:
        return _mapping(next_event, depth)
    if type(event) is SequenceStartEvent:
        return _sequence(next_event, depth)
    raise _NeedsCare


def _is_no_text(key: str) -> bool:
    return key == "<<" or not isinstance(plain(key), str)
