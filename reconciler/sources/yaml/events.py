"""
Bytes → YAML events, and errors of the parser → Problems with their likely cause and fix. Pure.

Rule 1: libyaml's parser is used; PyYAML's own, where PyYAML was built without libyaml, gives and refuses the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import yaml

from reconciler.errors import Location, Problem
from reconciler.sources.yaml.document import LINE_BREAK, End, one_line

NextEvent: TypeAlias = Callable[[], Any]
"""Gives one event after the other, StreamEndEvent last; raises yaml.YAMLError where the text is no YAML."""


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's parser, without the half characters that libyaml refuses too."""

    def __init__(self, text: bytes) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)

    def next_event(self) -> Any:  # noqa: ANN401  (events have no common type)
        event = self.get_event()  # type: ignore[no-untyped-call]
        value = getattr(event, "value", None)
        if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
            problem = "found invalid Unicode character escape code"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return event


def pure_events(text: bytes) -> NextEvent:
    """Events from PyYAML's own parser, about thirty times slower."""
    return _PureParser(text).next_event


_libyaml_parser: Any
try:
    from yaml import cyaml
except ImportError:  # PyYAML was built without libyaml
    _libyaml_parser = None
else:
    _libyaml_parser = vars(cyaml)["CParser"]  # the stubs leave it out


def events(text: bytes) -> NextEvent:
    """Events from the fastest parser that there is."""
    if _libyaml_parser is None:
        return pure_events(text)
    next_event: NextEvent = _libyaml_parser(text).get_event
    return next_event


class _Cause(NamedTuple):
    """`said`: a part of what libyaml or PyYAML say. `where_it_began`: the mistake is where the node began."""

    said: str
    what: str
    fix: str
    where_it_began: bool = False


_NOTHING = "nothing"
_TAB = _Cause("", "a tab", "indent with spaces")
_TOO_SHORT = _Cause("", "the file ends where a value should stand", "write it, or close what is open above")
_BAD_START = _Cause("", "text cannot begin with {0}", "put it in quotes")

_CAUSES = (
    _Cause("a tab character", _TAB.what, _TAB.fix),
    _Cause("could not find expected ':'", "a line without a colon", "write it as name: value, or indent it if it goes on from above", where_it_began=True),
    _Cause("mapping values are not allowed", "a colon where no field can begin", "put text that has a colon in quotes; begin fields of one mapping in one column"),
    _Cause("sequence entries are not allowed", "a list cannot begin here", "begin it on a line of its own, below the name of its field"),
    _Cause("did not find expected key", "this does not line up with the fields above", "begin fields of one mapping in one column; put the whole text in quotes, or nothing of it"),
    _Cause("expected '-' indicator", "this is no item of the list above", "begin each item with - in one column"),
    _Cause("expected <block end>", "this does not line up with what is above", "begin fields of one mapping, and items of one list, in one column"),
    _Cause("unexpected end of stream", "a quote that is never closed", "close it with the same quote", where_it_began=True),
    _Cause("unexpected document", "a quote that is not closed before the next ---", "close it with the same quote", where_it_began=True),
    _Cause("unknown escape character", "a backslash that means nothing here", "use single quotes, or write two backslashes"),
    _Cause("hex", "an escape that names no character", "write the character itself"),
    _Cause("character escape code", "an escape that names no character", "write the character itself"),
    _Cause("',' or ']'", "a list that is not closed or lacks a comma", "separate items with commas and close it with ]", where_it_began=True),
    _Cause("',' or '}'", "a mapping that is not closed or lacks a comma", "separate fields with commas and close it with }", where_it_began=True),
    _Cause("node content", "a value cannot begin with {0}", "put text that begins with it in quotes"),
    _Cause("expected <document start>", "this belongs to nothing above", "fix the indentation, or separate strategies with a line ---"),
    _Cause("<document start>'", "this belongs to nothing above", "fix the indentation, or separate strategies with a line ---"),
    _Cause("alphabetic or numeric", "{0} without a name", "put text that begins with & or * in quotes", where_it_began=True),
    _Cause("tag handle", "a tag", "remove it; put text that begins with ! in quotes"),
    _Cause("directive", "a directive that YAML 1.2 does not have", "remove the line that begins with %"),
    _Cause("incompatible YAML", "a version of YAML that is not 1.2", "remove the line that begins with %"),
)  # fmt: skip


def syntax_problem(error: yaml.YAMLError | UnicodeDecodeError, text: bytes, file: str) -> Problem:
    """The Problem that `error` is; where the cause is not known, in the parser's own words."""
    if not isinstance(error, yaml.MarkedYAMLError):
        position = getattr(error, "position", None)
        before = LINE_BREAK.split(text[:position].decode(errors="replace"))
        place = Location(file, len(before), len(before[-1]) + 1)
        if "characters are not allowed" in str(getattr(error, "reason", "")):
            return Problem(place, "", "not YAML: an invisible character", "remove it")
        return Problem(place, "", "not UTF-8 text", "save the file as UTF-8")
    said = error.problem or ""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(Location(file), "", f"not YAML: {said}", "fix the syntax")
    lines = LINE_BREAK.split(text.decode(errors="replace"))
    character = _character(lines, mark)
    if "cannot start any token" in said:
        cause = _TAB if character == "\t" else _BAD_START
    elif character == _NOTHING and "node content" in said:
        cause = _TOO_SHORT
    else:
        unknown = _Cause("", said.replace("{", "{{").replace("}", "}}"), "fix the syntax at this place")
        cause = next((cause for cause in _CAUSES if cause.said in said), unknown)
    if cause.where_it_began and error.context_mark is not None:
        mark = error.context_mark
    what = one_line(f"not YAML: {cause.what.format(_character(lines, mark))}")
    place = Location(file, *End(text).within(mark.line + 1, mark.column + 1))
    return Problem(place, "", what, cause.fix)


def _character(lines: list[str], mark: yaml.Mark) -> str:
    """The character at a place; words where nothing is."""
    there = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    return there or _NOTHING
