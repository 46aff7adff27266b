"""What reading a file gives, and the limits that hold while it is read. Values only. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
"""strategy-file.md, YAML. A whole fleet in one file stays far below; what a bomb unfolds to does not."""

MAX_PROBLEMS = 1000
"""Told of one file. Whoever has more has one mistake many times."""

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
    """`text` with escapes for what would break a line, colour a terminal or command whoever reads a log."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
