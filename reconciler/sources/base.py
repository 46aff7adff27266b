"""
Where revisions come from, and what they say: the interface of all sources, and the values that pass through it.

Rule 1: no file, clock or process is touched here; sources do that.
Rule 2: a symbolic link is followed within the strategies' folder and nowhere else.
"""

from __future__ import annotations

import posixpath
from collections.abc import Generator, Iterable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from reconciler.errors import Problem
from reconciler.model.spec import StrategySpec


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
        """The files that differ, None for one that is gone; None in all if `tree` has to be read."""

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        """The contents of files by id, in that order; None for one larger than a strategy file may be."""


class Checked(msgspec.Struct, frozen=True, gc=False):
    """What one file says. `specs`: its valid documents, named only if they name themselves.

    `broken`: the names of the strategies of its invalid documents: "" for one that leaves it to the file's
    name, None for an unknown name, which may stand for several strategies.
    """

    specs: tuple[StrategySpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: tuple[str | None, ...] = ()


Files: TypeAlias = tuple[tuple[str, Checked], ...]
"""(path, what it says) of a whole tree, in order of the path."""


class Revision(msgspec.Struct, frozen=True, gc=False):
    """One revision and its files, each checked."""

    commit: str
    ref: str
    files: Files


MAX_LINK_STEPS = 8
"""Links to links; more are a loop or a joke."""


def followed_links(targets: Mapping[str, str], files: Mapping[str, TreeFile]) -> dict[str, TreeFile]:
    """What each link (path → target as written) is; `files` are all paths of the tree, links included."""
    found: dict[str, TreeFile] = {}
    for path in targets:
        place, steps = path, 0
        while place in targets and steps < MAX_LINK_STEPS:
            place = posixpath.normpath(posixpath.join(posixpath.dirname(place), targets[place]))
            steps += 1
        if place == ".." or place.startswith(("../", "/")):
            found[path] = refused_link("leaves the folder of the strategies")
        elif place in targets:
            found[path] = refused_link("leads in a circle")
        else:
            found[path] = files.get(place) or refused_link("points to a folder or to nothing")
    return found


def refused_link(why: str) -> TreeFile:
    """A link that is not followed."""
    return TreeFile("", f"a symbolic link that {why}", "put the file itself here")


def is_strategy_file(path: str) -> bool:
    """Whether `path` (with `/`, below the strategies' folder) is read as strategies."""
    hidden = path.startswith(("_", ".")) or "/_" in path or "/." in path
    return path.endswith((".yaml", ".yml")) and not hidden
