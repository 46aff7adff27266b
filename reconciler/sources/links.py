"""Symbolic links of a tree → the files that they stand for, or why they stand for none. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from reconciler.sources.tree import TreeFile

MAX_STEPS = 8
"""Links to links; more are a loop or a joke."""


def follow(targets: Mapping[str, str], files: Mapping[str, TreeFile]) -> dict[str, TreeFile]:
    """What each link (path → target as written) is; `files` are all paths of the tree, links included."""
    return {path: _follow(path, targets, files) for path in targets}


def _follow(path: str, targets: Mapping[str, str], files: Mapping[str, TreeFile]) -> TreeFile:
    place = path
    for _ in range(MAX_STEPS):
        place = _step(place, targets[place])
        if leaves(place):
            return refused("leaves the folder of the strategies")
        if place not in targets:
            break
    if place in targets:
        return refused("leads in a circle")
    if place in files:
        return files[place]
    return refused("points to a folder or to nothing")


def _step(place: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), target))


def leaves(place: str) -> bool:
    """Whether a normalised path is outside of the folder that it is relative to."""
    return place == ".." or place.startswith(("../", "/"))


def refused(why: str) -> TreeFile:
    """A link that is not followed."""
    return TreeFile("", f"a symbolic link that {why}", "put the file itself here")
