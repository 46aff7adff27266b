"""What a revision says, once its files are checked. Values only: whoever takes them needs none of what made them."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from reconciler.errors import Problem
from reconciler.model.spec import StrategySpec


class Checked(msgspec.Struct, frozen=True, gc=False):
    """What one file says. `specs`: its valid documents, named only if they name themselves.

    `broken`: the names of the strategies of its invalid documents: "" for one that leaves it to the file's
    name, None for what cannot be told, which may be several strategies.
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
