"""
Bytes → data, strictly: YAML 1.2's core schema without what makes a config mean something else than it says.

Rule 1: pure: bytes in, values and Problems out.
Rule 2: nothing is guessed: `no` is text, 0.10 keeps its value, a key stands once, a reference is refused.
Rule 3: most files have no problem: they are read in one quick pass, without a parser if they need none; only
the others are read carefully, with the places of everything. What only these need is imported for the first of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from reconciler.errors import Location, Problem
from reconciler.sources.strict.shape import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    MAX_PROBLEMS,
    Document,
    Path,
    dotted,
    one_line,
    printable,
)
from reconciler.sources.strict.simple import read_simply

if TYPE_CHECKING:
    from reconciler.sources.strict.events import NextEvent

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_PROBLEMS",
    "Document",
    "Path",
    "Places",
    "Reading",
    "dotted",
    "is_strategy_file",
    "one_line",
    "printable",
    "read",
]

_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a file holds: its documents without the empty ones, and all that the reader could not take.

    `whole`: the reader got to the end; else there may be documents that nobody has seen.
    """

    documents: list[Document]
    problems: list[Problem]
    whole: bool = True


def is_strategy_file(path: str) -> bool:
    """Whether `path` (with `/`, below the strategies' folder) is read as strategies."""
    hidden = path.startswith(("_", ".")) or "/_" in path or "/." in path
    return path.endswith((".yaml", ".yml")) and not hidden


def read(text: bytes, file: str, *, events: Callable[[bytes], NextEvent] | None = None) -> Reading:
    """Read all documents of a file; every Problem that can be told, in file order. Never raises.

    `events`: the parser that has to be used; None takes the fastest, and none at all for a file that needs none.
    """
    refusal = _refusal(text)
    if refusal is not None:
        return Reading([], [Problem(Location(file), "", *refusal)], whole=False)
    text = text.removeprefix(_MARK)
    documents = read_simply(text, file) if events is None else None
    return _parsed(text, file, events) if documents is None else Reading(documents, [])


def _parsed(text: bytes, file: str, events: Callable[[bytes], NextEvent] | None) -> Reading:
    from reconciler.sources.strict.careful import CarefulReader
    from reconciler.sources.strict.events import events as fastest
    from reconciler.sources.strict.quick import read_quickly

    documents = read_quickly(text, file, events or fastest)
    if documents is not None:
        return Reading(documents, [])
    reader = CarefulReader(text, file, events or fastest)
    return Reading(reader.documents, sorted(reader.problems), reader.whole)


def _refusal(text: bytes) -> tuple[str, str] | None:
    """What is wrong with a file that is not even parsed, and the fix."""
    if len(text) > MAX_BYTES:
        what = f"{len(text):,} bytes are more than the {MAX_BYTES:,} that a strategy file may have"
        return what, "split it into several files"
    if text.startswith(_UTF16_MARKS):
        return "UTF-16 text", "save the file as UTF-8"
    return None


class Places:
    """Where everything in a file stands. Made by reading the file once more, so only for one with a Problem."""

    def __init__(self, text: bytes, file: str) -> None:
        from reconciler.sources.strict.careful import CarefulReader
        from reconciler.sources.strict.events import events

        self._file = file
        self._places = CarefulReader(text.removeprefix(_MARK), file, events).places

    def of(self, index: int, path: Path, *, key: bool = False) -> Location:
        """The place of a value (or its key) of the `index`-th document.

        A path that is not there gives the place of its nearest parent's key, and at last the document's
        first line.
        """
        places = self._places[index]
        for length in range(len(path), -1, -1):
            place = places.get(path[:length])
            if place is not None:
                return Location(self._file, *(place.key if key or length < len(path) else place.value))
        return Location(self._file)
