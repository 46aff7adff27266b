"""What a rule finds: at which value of which strategy, in words. Where that value stands is looked up later. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import basename, splitext
from typing import NamedTuple

from reconciler.errors import Severity
from reconciler.model.spec import StrategySpec
from reconciler.sources.strict.shape import Path

MOST_NAMED = 3
"""Other strategies that one finding names with their places; of more, how many."""


class Spot(NamedTuple):
    """A value of a strategy's document."""

    spec: StrategySpec
    path: Path

    @property
    def name(self) -> str:
        """What the strategy is called; it may have its name from its file."""
        return self.spec.name or splitext(basename(self.spec.location.file))[0]


class Finding(NamedTuple):
    """One thing that a rule does not allow. `others`: spots of other strategies that it is about, too; `more`: how
    many of them are not named.
    """

    spot: Spot
    what: str
    fix: str
    severity: Severity
    others: tuple[Spot, ...] = ()
    more: int = 0


def beside(spots: Sequence[Spot]) -> Iterator[tuple[Spot, tuple[Spot, ...], int]]:
    """Each spot, the first few of the others, and how many more there are."""
    few = spots[: MOST_NAMED + 1]
    for index, spot in enumerate(spots):
        others = (*few[:index], *few[index + 1 :])[:MOST_NAMED]
        yield spot, others, len(spots) - 1 - len(others)
