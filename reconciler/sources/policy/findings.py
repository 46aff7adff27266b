"""
Describes what a rule finds (at which value of which strategy, in words) and adds findings to a tree's files. Pure.

Rule 1: the texts of the few files that a finding is about come from the caller, for their places.
Rule 2: a strategy that breaks a rule is as one whose file is invalid: whatever happens to those happens to it.
Rule 3: a file with nothing found stays the very same object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from posixpath import basename, splitext
from typing import NamedTuple, TypeAlias

from reconciler.errors import Location, Problem, Severity
from reconciler.model.spec import StrategySpec
from reconciler.sources.base import Checked, Files
from reconciler.sources.yaml.document import Path, dotted, one_line
from reconciler.sources.yaml.reader import Places, read

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


def with_others(spots: Sequence[Spot]) -> Iterator[tuple[Spot, tuple[Spot, ...], int]]:
    """Each spot, the first few of the others, and how many more there are."""
    few = spots[: MOST_NAMED + 1]
    for index, spot in enumerate(spots):
        others = (*few[:index], *few[index + 1 :])[:MOST_NAMED]
        yield spot, others, len(spots) - 1 - len(others)


Texts: TypeAlias = Callable[[Collection[str]], Mapping[str, bytes]]
"""Paths of files → what they hold."""


def with_findings(files: Files, found: Sequence[Finding], texts: Texts) -> Files:
    """The files of a tree, each finding as a Problem of its file.

    Raises:
        SourceError: a text that is needed for a place cannot be read; raised by `texts`.
    """
    if not found:
        return files
    spots = chain.from_iterable((finding.spot, *finding.others) for finding in found)
    places = _SpotPlaces(texts({spot.spec.location.file for spot in spots}))
    problems: dict[str, list[Problem]] = {}
    wrong: set[Location] = set()
    for finding in found:
        what, start = finding.what, finding.spot.spec.location
        if finding.others:
            named = [f"{other.name} at {places.of(other)}" for other in finding.others]
            more = [f"{finding.more:,} more"] if finding.more else []
            what = f"{what} (see {', '.join([*named, *more])})"
        place, path = places.of(finding.spot), dotted(finding.spot.path)
        problem = Problem(place, path, one_line(what), one_line(finding.fix), finding.severity)
        problems.setdefault(start.file, []).append(problem)
        if finding.severity is Severity.ERROR:
            wrong.add(start)
    judged = dict(files)
    for file, more_problems in problems.items():
        checked = judged[file]
        judged[file] = Checked(
            tuple(spec for spec in checked.specs if spec.location not in wrong),
            tuple(sorted([*checked.problems, *more_problems])),
            (*checked.broken, *(spec.name for spec in checked.specs if spec.location in wrong)),
        )
    return tuple(judged.items())


class _SpotPlaces:
    """Where the values of files stand; each file is read once more when its first place is asked for."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts
        self._known: dict[str, tuple[Places, dict[int, int]]] = {}

    def of(self, spot: Spot) -> Location:
        """The place of a value; of its nearest parent's key if it is left out."""
        start = spot.spec.location
        if start.file not in self._known:
            text = self._texts[start.file]
            documents = {document.line: document.index for document in read(text, start.file).documents}
            self._known[start.file] = Places(text, start.file), documents
        places, index_at_line = self._known[start.file]
        return places.of(index_at_line[start.line], spot.path)
