"""
Events → data, places and Problems: the slow reader, for files that the fast one leaves to it. Pure.

Rule 1: it goes on after what it refuses as long as the rest can be read, so that all Problems are reported at once.
Rule 2: what it refuses is marked in the document, so that nobody relies on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from reconciler.errors import Location, Problem
from reconciler.sources.yaml.document import (
    MAX_DEPTH,
    MAX_NODES,
    Document,
    End,
    Path,
    dotted,
    one_line,
    short,
)
from reconciler.sources.yaml.events import NextEvent, syntax_problem
from reconciler.sources.yaml.scalars import NotPlain, plain

_OTHER_KEY = "?"
"""Stands in a path for a key that is not text."""

_NAMELESS = ("a value without a name", "write the field's name before the colon")

_OWN_TAGS = "tag:yaml.org,2002:"


class Place(NamedTuple):
    """Line and column, from 1, of a key and of its value; of an item twice its value."""

    key: tuple[int, int]
    value: tuple[int, int]


class _Ended(Exception):
    """Something after which nothing of the file can be read."""


class CarefulReader:
    """One careful reading of a file. `whole`: it got to the end. `places`: of each document by its index."""

    def __init__(self, text: bytes, file: str, events: Callable[[bytes], NextEvent]) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.places: list[dict[Path, Place]] = []
        self._file = file
        self._path: list[str | int] = []
        self._nodes = 0
        self._refused: list[Path] = []
        self._end_of_text = End(text)
        try:
            self._next = events(text)
            while type(event := self._next()) is not yaml.StreamEndEvent:
                if type(event) is yaml.DocumentStartEvent:
                    self._document(event)
            self.whole = True
        except _Ended:
            self.whole = False
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self.whole = False
            self.problems.append(syntax_problem(error, text, file))

    def _document(self, start: Any) -> None:  # noqa: ANN401  (events have no common type)
        index = len(self.places)
        self.places.append({})
        self._refused = []
        if start.tags or (start.version and tuple(start.version) != (1, 2)):
            what = "a directive that changes what the file means"
            self._refuse(start, what, "remove the lines that begin with %")
        first = self._next()
        line, column = self._mark(first)
        self.places[index][()] = Place((line, 1), (line, column))
        data = self._node(first)
        if data is None and not self._refused:
            return  # an empty document
        if not isinstance(data, dict):
            data = {}
            if () not in self._refused:
                self._refuse(first, "a strategy is a mapping of fields", "begin with strategy_type: …")
        self.documents.append(Document(self._file, index, line, data, tuple(self._refused)))

    # -- nodes

    def _node(self, event: Any) -> Any:  # noqa: ANN401
        """The value that begins with `event`; what is refused gives None, its text or what else of it can be used."""
        self._count(event)
        if type(event) is yaml.AliasEvent:
            self._refuse(event, f"alias *{short(str(event.anchor))}", "write the value itself here")
            return None
        self._check_extras(event)
        if type(event) is yaml.ScalarEvent:
            try:
                return event.value if event.style else plain(event.value)
            except NotPlain as refusal:
                self._refuse(event, *refusal.args)
                return event.value
        if len(self._path) >= MAX_DEPTH:
            self._end(event, f"more than {MAX_DEPTH} levels deep", "no strategy needs so many; flatten it")
        if type(event) is yaml.MappingStartEvent:
            fields: dict[str, Any] = {}
            while type(event := self._next()) is not yaml.MappingEndEvent:
                key, is_field = self._key(event, fields)
                self._path.append(key)
                value_event = self._next()
                self.places[-1][tuple(self._path)] = Place(self._mark(event), self._mark(value_event))
                value = self._node(value_event)
                if is_field:
                    fields[key] = value
                self._path.pop()
            return fields
        items: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            self._path.append(len(items))
            self.places[-1][tuple(self._path)] = Place(self._mark(event), self._mark(event))
            items.append(self._node(event))
            self._path.pop()
        return items

    # -- keys

    def _key(self, event: Any, above: dict[str, Any]) -> tuple[str, bool]:  # noqa: ANN401
        """A key, and whether it names a field."""
        is_text = type(event) is yaml.ScalarEvent
        key: str = event.value if is_text else _OTHER_KEY
        self._path.append(key)
        if not is_text:
            fix = "write the key as one word; put text that begins with { or [ in quotes"
            self._refuse(event, "a key that is not text", fix)
            self._refused += [tuple(self._path[:-1])] if self._path[1:] else []
            self._node(event)
        elif event.style or self._is_plain_name(event):
            self._count(event)
            self._check_extras(event)
            if key in above:
                self._refuse(event, f"key {short(key)!r} appears here a second time", "remove one of the two")
        self._path.pop()
        return key, is_text and (bool(event.style) or key != "<<")

    def _is_plain_name(self, event: Any) -> bool:  # noqa: ANN401
        """Whether a key without quotes is text; if it is not, that is a Problem."""
        key: str = event.value
        try:
            is_name = isinstance(plain(key), str)
        except NotPlain:
            is_name = False
        if key == "<<":
            self._refuse(event, "merge key <<", "write the fields themselves here")
        elif not is_name:
            what, fix = (
                (f"key {short(key)} is not text", f'put it in quotes: "{short(key)}"') if key else _NAMELESS
            )
            self._refuse(event, what, fix)
        return is_name and key != "<<"

    # -- refusals

    def _check_extras(self, event: Any) -> None:  # noqa: ANN401
        if event.anchor is not None:
            self._refuse(
                event, f"anchor &{short(event.anchor)}", "remove it, and write values where they are used"
            )
        if event.tag is not None:
            tag = short(event.tag.replace(_OWN_TAGS, "!!"))
            self._refuse(event, f"tag {tag}", "remove it; quotes make text, their absence a number")

    def _count(self, event: Any) -> None:  # noqa: ANN401
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._end(event, f"more than {MAX_NODES:,} values in one file", "split it into several files")

    def _refuse(self, event: Any, what: str, fix: str) -> None:  # noqa: ANN401
        self._refused.append(tuple(self._path))
        place = Location(self._file, *self._mark(event))
        self.problems.append(Problem(place, dotted(self._path), one_line(what), one_line(fix)))

    def _end(self, event: Any, what: str, fix: str) -> None:  # noqa: ANN401
        self._refuse(event, what, fix)
        raise _Ended

    def _mark(self, event: Any) -> tuple[int, int]:  # noqa: ANN401
        mark = event.start_mark
        return self._end_of_text.within(mark.line + 1, mark.column + 1)
