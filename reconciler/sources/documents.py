"""
Bytes → data, strictly: YAML 1.2's core schema without what makes a config mean something else than it says.

Rule 1: pure: bytes in, values and Problems out.
Rule 2: nothing is guessed: `no` is text, 0.10 keeps its value, a key stands once, a reference is refused.
Rule 3: places are looked up only for Problems, by reading the text once more (`locate`): most files have none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from posixpath import splitext
from typing import Any, TypeAlias

import msgspec
import yaml
from yaml import cyaml

from reconciler.errors import Location, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000

MAX_DIGITS = 40
MAX_EXPONENT = 400
"""No price or amount needs more; without a limit, 1e999999999 would be a bomb for whoever writes it out."""

Path: TypeAlias = tuple[str | int, ...]

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE]([-+]?[0-9]+))?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_GROUPED = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?", re.ASCII)


class Document(msgspec.Struct, frozen=True, gc=False):
    """One document of a file, the `index`-th from 0, and the line where it begins."""

    file: str
    index: int
    line: int
    data: dict[str, Any]


def is_strategy_file(path: str) -> bool:
    """Whether `path` (with `/`, below the strategies' folder) is read as strategies."""
    hidden = any(part.startswith(("_", ".")) for part in path.split("/"))
    return splitext(path)[1] in {".yaml", ".yml"} and not hidden


class _Refused(Exception):
    """Something that ends the reading of a file; what stands after it cannot be told."""


class _Reader:
    """Builds the data of one file from libyaml's events, noting Problems and, if asked to, places."""

    def __init__(self, text: bytes, file: str, *, places: bool) -> None:
        self._parser: Any = cyaml.CParser(text)  # type: ignore[attr-defined]  # the stubs leave it out
        self._file = file
        self._path: list[str | int] = []
        self._nodes = 0
        self._documents = 0
        self.problems: list[Problem] = []
        self.places: list[dict[Path, tuple[Any, Any]]] | None = [] if places else None

    def documents(self) -> list[Document]:
        found = []
        next_event = self._parser.get_event
        while not isinstance(event := next_event(), yaml.StreamEndEvent):
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if self.places is not None:
                self.places.append({})
            first = next_event()
            data = self._node(first)
            if isinstance(data, dict):
                line = first.start_mark.line + 1
                found.append(Document(self._file, self._documents, line, data))
            elif data is not None:
                self._refuse(first, "a strategy is a mapping of fields", "begin with strategy_type: …")
            self._documents += 1
        return found

    # -- nodes

    def _node(self, event: Any) -> Any:  # noqa: ANN401  (libyaml's events have no common type)
        kind = type(event)
        self._nodes += 1
        if kind is yaml.ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                self._refuse_extras(event)
            return event.value if event.style else self._plain(event)
        if self._nodes > MAX_NODES:
            self._end(event, f"more than {MAX_NODES:,} values in one file", "split it into several files")
        if kind is yaml.AliasEvent:
            self._refuse(event, f"alias *{event.anchor}", "write the value itself here")
            return None
        if event.anchor is not None or event.tag is not None:
            self._refuse_extras(event)
        if len(self._path) >= MAX_DEPTH:
            self._end(event, f"more than {MAX_DEPTH} levels deep", "no strategy needs so many; flatten it")
        return self._mapping() if kind is yaml.MappingStartEvent else self._sequence()

    def _mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        next_event, path = self._parser.get_event, self._path
        while type(event := next_event()) is not yaml.MappingEndEvent:
            key = self._key(event)
            path.append(key)
            if key in found:
                self._refuse(event, f"key {key!r} stands here a second time", "remove one of the two")
            value_event = next_event()
            if self.places is not None:
                self.places[-1][tuple(path)] = (event.start_mark, value_event.start_mark)
            found[key] = self._node(value_event)
            path.pop()
        return found

    def _key(self, event: Any) -> str:  # noqa: ANN401
        if type(event) is not yaml.ScalarEvent:
            self._end(event, "a key that is not plain text", "write the key as one word")
        self._nodes += 1
        text: str = event.value
        if event.anchor is not None or event.tag is not None:
            self._refuse_extras(event)
        if not event.style:
            if text == "<<":
                self._refuse(event, "merge key <<", "write the fields themselves here")
            elif text in _WORDS or (text[0] in _NUMBER_STARTS and not isinstance(self._plain(event), str)):
                self._refuse(event, f"key {text} is not text", f'put it in quotes: "{text}"')
        return text

    def _sequence(self) -> list[Any]:
        found: list[Any] = []
        next_event, path = self._parser.get_event, self._path
        while type(event := next_event()) is not yaml.SequenceEndEvent:
            path.append(len(found))
            if self.places is not None:
                self.places[-1][tuple(path)] = (event.start_mark, event.start_mark)
            found.append(self._node(event))
            path.pop()
        return found

    # -- plain scalars

    def _plain(self, event: Any) -> Any:  # noqa: ANN401
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _NUMBER_STARTS:
            return text
        if _INT.fullmatch(text) and len(text) <= MAX_DIGITS:
            return int(text)
        if _BASED.fullmatch(text) and len(text) <= MAX_DIGITS:
            return int(text, 0)
        return self._fraction(event, text)

    def _fraction(self, event: Any, text: str) -> Any:  # noqa: ANN401
        number = _FLOAT.fullmatch(text)
        if number is not None:
            if len(text) > MAX_DIGITS + 8 or abs(int(number[1] or 0)) > MAX_EXPONENT:
                fix = f"use at most {MAX_DIGITS} digits and exponents up to {MAX_EXPONENT}"
                self._refuse(event, f"number {text[:20]}… is out of any range", fix)
                return 0
            return Decimal(text)
        if _NOT_FINITE.fullmatch(text):
            self._refuse(
                event, f"{text} is not a number to trade with", "write a finite number, or remove the field"
            )
        elif "_" in text and _GROUPED.fullmatch(text):
            self._refuse(event, f"{text} has _ between its digits", f"write {text.replace('_', '')}")
        elif _BASED.fullmatch(text) or _INT.fullmatch(text):
            self._refuse(
                event, f"number {text[:20]}… is out of any range", f"use at most {MAX_DIGITS} digits"
            )
        return text

    # -- refusals

    def _refuse_extras(self, event: Any) -> None:  # noqa: ANN401
        if event.anchor is not None:
            self._refuse(event, f"anchor &{event.anchor}", "remove it, and write values where they are used")
        if event.tag is not None:
            self._refuse(event, f"tag {event.tag}", "remove it; quotes make text, their absence a number")

    def _refuse(self, event: Any, what: str, fix: str) -> None:  # noqa: ANN401
        mark = event.start_mark
        place = Location(self._file, mark.line + 1, mark.column + 1)
        self.problems.append(Problem(place, ".".join(map(str, self._path)), what, fix))

    def _end(self, event: Any, what: str, fix: str) -> None:  # noqa: ANN401
        self._refuse(event, what, fix)
        raise _Refused


def read(text: bytes, file: str) -> tuple[list[Document], list[Problem]]:
    """Read all documents of a file, skipping empty ones; every Problem that can be told, in file order."""
    if len(text) > MAX_BYTES:
        problem = f"{len(text):,} bytes are more than the {MAX_BYTES:,} that a strategy file may have"
        return [], [Problem(Location(file), "", problem, "split it into several files")]
    reader = _Reader(_decodable(text), file, places=False)
    try:
        documents = reader.documents()
    except _Refused:
        documents = []
    except yaml.YAMLError as error:
        documents = []
        reader.problems.append(_syntax(error, file))
    except UnicodeDecodeError as error:
        return [], [_not_text(error, text, file)]
    return ([] if reader.problems else documents), reader.problems


def _decodable(text: bytes) -> bytes:
    """Without byte-order mark; libyaml tells UTF-16 by its mark, which no editor of ours writes."""
    return text.removeprefix(b"\xef\xbb\xbf")


def _not_text(error: UnicodeDecodeError, text: bytes, file: str) -> Problem:
    line = text.count(b"\n", 0, error.start) + 1
    return Problem(Location(file, line), "", "not UTF-8 text", "save the file as UTF-8")


def _syntax(error: yaml.YAMLError, file: str) -> Problem:
    """What libyaml complains of, with the cause that it mostly has."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Location(file, mark.line + 1, mark.column + 1) if mark is not None else Location(file)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    fixes = {
        "found character that cannot start any token": "indent with spaces, not tabs; quote text that begins with @ or `",
        "mapping values are not allowed in this context": "put text that has a colon in it in quotes, or mend the indentation",
        "did not find expected key": "mend the indentation: fields of one mapping begin in one column",
        "did not find expected <document start>": "mend the indentation, or separate strategies with a line ---",
        "control characters are not allowed": "remove the invisible character",
    }
    return Problem(place, "", f"not YAML: {what}", fixes.get(what, "mend the syntax at this place"))


def locate(text: bytes, file: str, index: int, path: Path, *, key: bool) -> Location:
    """Where in `text` a value (or its key) of the `index`-th document stands.

    A path that is not there gives the place of its nearest parent, and at last the document's first line.
    """
    reader = _Reader(_decodable(text), file, places=True)
    documents = reader.documents()
    places = reader.places[index] if reader.places else {}
    for length in range(len(path), 0, -1):
        marks = places.get(tuple(path[:length]))
        if marks is not None:
            mark = marks[0 if key or length < len(path) else 1]
            return Location(file, mark.line + 1, mark.column + 1)
    line = next((document.line for document in documents if document.index == index), 1)
    return Location(file, line, 1)


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: `config.order_override.0`."""
    return ".".join(map(str, path))
