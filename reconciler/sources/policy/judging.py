"""
Checked files × rules → the same files, with what the rules find in them.

Rule 1: pure: the texts of the few files that a finding is about come from whoever calls, for their places.
Rule 2: a strategy that breaks a rule is as one whose file is invalid: whatever happens to those happens to it.
Rule 3: a file with nothing found stays the very same object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from typing import TypeAlias

from reconciler.errors import Location, Problem, Severity
from reconciler.sources.documents import Places, dotted, one_line, read
from reconciler.sources.policy.findings import Finding, Spot
from reconciler.sources.policy.rules import Rules
from reconciler.sources.revision import Checked, Files

Texts: TypeAlias = Callable[[Collection[str]], Mapping[str, bytes]]
"""Paths of files → what they hold."""


def judged(files: Files, rules: Rules, texts: Texts) -> Files:
    """The files of a tree, those among them that break a rule with a Problem more.

    Raises:
        SourceError: a text that is needed for a place cannot be read; raised by `texts`.
    """
    if not rules.are_set:
        return files
    found = rules.find(spec for _, checked in files for spec in checked.specs)
    if not found:
        return files
    atlas = _Atlas(texts(_concerned(found)))
    by_file: dict[str, list[Finding]] = {}
    for finding in found:
        by_file.setdefault(finding.spot.spec.location.file, []).append(finding)
    return tuple(
        (path, _with(checked, by_file[path], atlas) if path in by_file else checked)
        for path, checked in files
    )


def _concerned(found: Iterable[Finding]) -> set[str]:
    spots = chain.from_iterable((finding.spot, *finding.others) for finding in found)
    return {spot.spec.location.file for spot in spots}


def _with(checked: Checked, found: list[Finding], atlas: _Atlas) -> Checked:
    """`checked` with findings; the strategies of those that are errors count as broken documents."""
    wrong = {finding.spot.spec.location for finding in found if finding.severity is Severity.ERROR}
    problems = sorted([*checked.problems, *(_problem(finding, atlas) for finding in found)])
    broken = (spec.name for spec in checked.specs if spec.location in wrong)
    return Checked(
        tuple(spec for spec in checked.specs if spec.location not in wrong),
        tuple(problems),
        (*checked.broken, *broken),
    )


def _problem(finding: Finding, atlas: _Atlas) -> Problem:
    what = finding.what
    if finding.others:
        named = [f"{other.name} at {atlas.place(other)}" for other in finding.others]
        more = [f"{finding.more:,} more"] if finding.more else []
        what = f"{what} (see {', '.join([*named, *more])})"
    path = dotted(finding.spot.path)
    return Problem(atlas.place(finding.spot), path, one_line(what), one_line(finding.fix), finding.severity)


class _Atlas:
    """Where the values of files stand; each file is read once more when its first place is asked for."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts
        self._known: dict[str, tuple[Places, dict[int, int]]] = {}

    def place(self, spot: Spot) -> Location:
        """The place of a value; of its nearest parent's key if it is left out."""
        start = spot.spec.location
        if start.file not in self._known:
            self._known[start.file] = self._read(start.file)
        places, documents = self._known[start.file]
        return places.of(documents[start.line], spot.path)

    def _read(self, file: str) -> tuple[Places, dict[int, int]]:
        """The places of a file, and which of its documents begins at which line."""
        text = self._texts[file]
        return Places(text, file), {document.line: document.index for document in read(text, file).documents}
