"""What reading a file gives, and the limits that hold while it is read. Values only. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
"""design.md, The strategy file. A whole fleet in one file stays far below; what a bomb unfolds to does not."""

SHOWN = 60
"""Of a name, in a message of one line."""

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
    """`text` as a message shows it: cut where it is too long for one."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
