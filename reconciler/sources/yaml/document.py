"""What reading a file gives, the limits that hold while it is read, and the text of messages about it. Values only. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
"""strategy-file.md, YAML. A whole fleet in one file stays far below; what a bomb unfolds to does not."""

MAX_PROBLEMS = 1000
"""Reported of one file. More of them are one mistake many times."""

SHOWN = 60
"""Of a name, in a message of one line."""

LINE = 500
"""Of a message, whatever a file brings into it."""

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys and positions from the document's root, which is ()."""


class Document(msgspec.Struct, frozen=True, gc=False):
    """One document of a file, the `index`-th from 0 (empty ones count), and the line where it begins.

    `refused`: the paths of what the reader could not take; `data` is not to be relied on there.
    """

    file: str
    index: int
    line: int
    data: dict[str, Any]
    refused: tuple[Path, ...] = ()


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: `config.order_override.0`."""
    return ".".join(short(str(part)) for part in path)


def short(text: str) -> str:
    """`text` as a message shows it: on one line, and cut where it is too long for one."""
    return printable(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")


def one_line(text: str) -> str:
    """A message as people see it: on one line, which has an end."""
    return printable(text if len(text) <= LINE else f"{text[: LINE - 1]}…")


def printable(text: str) -> str:
    """`text` with escapes for what would break a line, colour a terminal or act on the reader of a log."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML 1.1 parsers count as lines; the same as marks do."""

_BREAKS = "\n\r\x85\u2028\u2029"


class End:
    """The end of the last line that is not empty. Parsers put the end of a file beyond it, even where no line is."""

    def __init__(self, text: bytes) -> None:
        filled = text.decode(errors="replace").rstrip(_BREAKS)
        self._line, begin = 1, 0
        for found in LINE_BREAK.finditer(filled):
            self._line, begin = self._line + 1, found.end()
        self._column = len(filled) - begin + 1

    def within(self, line: int, column: int) -> tuple[int, int]:
        """A line and column from 1; the end instead of what is beyond the last line."""
        return (line, column) if line <= self._line else (self._line, self._column)
