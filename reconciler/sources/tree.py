"""What a revision looks like to whoever reads it, and what gives revisions. Values and an interface only."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Protocol

import msgspec


class TreeFile(msgspec.Struct, frozen=True, gc=False):
    """A file of a revision: the id of its contents; or, in `problem`, why it cannot be one."""

    blob: str
    problem: str = ""
    fix: str = ""


class Head(msgspec.Struct, frozen=True, gc=False):
    """A revision: its commit, and what names the strategies' folder in it. Equal heads hold equal files."""

    commit: str
    folder: str


class Source(Protocol):
    """Where revisions come from: Git, or a working tree as it stands.

    Paths are relative to `source.repository`, with `/`. Every call raises SourceError if it cannot answer.
    """

    ref: str
    path: str

    def refresh(self) -> Head:
        """The newest revision; fetched first where there is something to fetch from."""

    def tree(self, head: Head) -> Mapping[str, TreeFile]:
        """All files below `path`."""

    def changed(self, old: Head, new: Head) -> Mapping[str, TreeFile | None] | None:
        """The files that differ, None for one that is gone; None in all if only `tree` can tell."""

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        """The contents of files by id, in that order; None for one larger than a strategy file may be."""
