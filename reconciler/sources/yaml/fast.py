"""
Lines → data for files that need no parser: nothing but `key: value`, nested by indentation, and comments.

Rule 1: one expression says of each line whether it is of this kind. A file with any other line is left to the
parser: lists, long texts, several documents, tabs, letters beyond ASCII, whatever may be meant otherwise.
Rule 2: what it does return is exactly what the careful reader would; a test holds the two together.
Rule 3: what a line says depends on nothing but the line. So the last few thousand are remembered: of the lines of
a fleet nine in ten stand in other files too.

Nearly all strategy files are of this kind, and a fleet of them is read in an eighth of the time: without it
benchmarks.cold_plan misses its goal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

from reconciler.sources.yaml.document import MAX_DEPTH, MAX_NODES, Document
from reconciler.sources.yaml.scalars import UNSURE_STARTS, WORDS, NotPlain, plain

_LINE = re.compile(
    r"""([ ]*+)                                                   # how deep
        (?: \#[ -~]*+                                             # a comment; or
          | ([A-Za-z_][A-Za-z0-9_-]{0,100}+):                     # a key, and after it
            (?: [ ]++ (?: ((?: [A-Za-z0-9_./+] | -(?=[A-Za-z0-9.]) )
                           [A-Za-z0-9_./+%(),=-]*+                # words without quotes,
                           (?: [ ]++ [A-Za-z0-9_./+%(),=-]++ )*+)
                        | ("[ !\#-\[\]-~]*+" | '[ -&(-~]*+')      # or in quotes, with nothing to unfold in them,
                      ) )?
            (?: [ ]++ \#[ -~]*+ )? [ ]*+                          # and a comment
        )?
    """,
    re.VERBOSE,
)
"""Nothing in it is tried twice, so that no text takes long."""

_LONGEST = 200
"""Of a line that is worth remembering."""

_Said: TypeAlias = tuple[int, str, Any]
"""What a line says: how deep, its key, and its value. The key is empty if it says nothing."""

_OPENS: Any = object()
"""The value of a key with nothing after it: a mapping must follow."""


class _NeedsParser(Exception):
    """Something that only a parser can read."""


def read_fast(text: bytes, file: str) -> list[Document] | None:
    """The one document of a file that is of this kind; None for one that is not."""
    if len(text) > MAX_NODES:
        return None
    try:
        return [_document(text.decode("ascii"), file)]
    except (_NeedsParser, NotPlain, UnicodeDecodeError):
        return None


def _document(text: str, file: str) -> Document:
    lines = text.split("\n")
    say = _said if max(map(len, lines)) <= _LONGEST else _said.__wrapped__
    nest = _Nest()
    here, at, opened, first = nest.here, nest.at, "", 0
    for line, (depth, key, value) in enumerate(map(say, lines), 1):
        if not key:
            continue
        if opened or depth != at:
            nest.go(depth, opened)
            here, at, first = nest.here, nest.at, first or line
        if key in here:
            raise _NeedsParser
        opened = key if value is _OPENS else ""
        here[key] = value
    if opened or not first:
        raise _NeedsParser
    return Document(file, 0, first, nest.root)


@lru_cache(8192)
def _said(line: str) -> _Said:
    """What one line says by itself. Remembered, for benchmarks.cold_plan: 0.1 s of 10,000 files; a megabyte or two.

    Raises:
        _NeedsParser, NotPlain: it has to be looked at by a parser.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise _NeedsParser
    indent, key, bare, quoted = found.groups()
    if key in WORDS:
        raise _NeedsParser
    if bare:
        return len(indent), key, plain(bare) if bare[0] in UNSURE_STARTS else bare
    return len(indent), key or "", quoted[1:-1] if quoted else _OPENS


class _Nest:
    """Mappings in mappings: `here` is the one that goes on, `at` its indentation."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self.here = self.root
        self.at = -1
        self._above: list[tuple[int, dict[str, Any]]] = []

    def go(self, depth: int, opened: str) -> None:
        """Go on at `depth`: in a new mapping if a key was `opened` for one, else further out."""
        if opened:
            if depth <= self.at or len(self._above) + 2 > MAX_DEPTH:
                raise _NeedsParser
            self._above.append((self.at, self.here))
            inner: dict[str, Any] = {}
            self.here[opened] = inner
            self.here, self.at = inner, depth
        elif self.at < 0:
            self.at = depth
        while self.at != depth:
            if not self._above:
                raise _NeedsParser
            self.at, self.here = self._above.pop()
