"""
Bytes → data, strictly: YAML 1.2's core schema without what makes a config mean something else than it says.

Rule 1: pure: bytes in, values and Problems out.
Rule 2: nothing is guessed: `no` is text, 0.10 keeps its value, a key stands once, a reference is refused.
Rule 3: most files have no problem and are read fast, without a parser; all others are read carefully, with the
places of everything.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from reconciler.errors import Location, Problem
from reconciler.sources.yaml.careful import CarefulReader
from reconciler.sources.yaml.document import MAX_BYTES, Document, Path
from reconciler.sources.yaml.events import NextEvent
from reconciler.sources.yaml.events import events as fastest_events
from reconciler.sources.yaml.fast import read_fast

_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a file holds: its documents without the empty ones, and all that the reader could not take.

    `whole`: the reader got to the end; else there may be documents that nobody has seen.
    """

    documents: list[Document]
    problems: list[Problem]
    whole: bool = True


def read(text: bytes, file: str, *, events: Callable[[bytes], NextEvent] | None = None) -> Reading:
    """Read all documents of a file; every Problem that can be reported, in file order. Never raises.

    `events`: the parser that has to be used; None takes the fastest, and none at all for a file that needs none.
    """
    if len(text) > MAX_BYTES:
        what = f"{len(text):,} bytes are more than the {MAX_BYTES:,} that a strategy file may have"
        return _unread(file, what, "split it into several files")
    if text.startswith(_UTF16_MARKS):
        return _unread(file, "UTF-16 text", "save the file as UTF-8")
    text = text.removeprefix(_MARK)
    documents = read_fast(text, file) if events is None else None
    if documents is not None:
        return Reading(documents, [])
    reader = CarefulReader(text, file, events or fastest_events)
    return Reading(reader.documents, sorted(reader.problems), reader.whole)


def _unread(file: str, what: str, fix: str) -> Reading:
    return Reading([], [Problem(Location(file), "", what, fix)], whole=False)


class Places:
    """Where everything in a file stands. Made by reading the file once more, so only for one with a Problem."""

    def __init__(self, text: bytes, file: str) -> None:
        self._file = file
        self._places = CarefulReader(text.removeprefix(_MARK), file, fastest_events).places

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
