"""
Checked files of one revision → Desired.

Rule 1: pure; the whole tree is judged at once: names, duplicates, targets.
Rule 2: an invalid tree never means "nothing is desired": it is refused whole, or its bad files are held,
and while it is unknown what a bad file holds, nothing counts as removed.
Rule 3: an empty tree is refused; no strategies have to be asked for (`allow_empty`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from reconciler.errors import InvalidFiles, Location, Problem, Severity
from reconciler.model.spec import Key, StrategySpec, is_name
from reconciler.model.state import Desired
from reconciler.settings.model import Settings
from reconciler.sources.base import Checked, Revision

REJECT, SKIP = "reject", "skip"
"""What `sync.on_invalid` may say."""

FEW = 100
"""Changed files up to here are worth a short cut; more are a change of the fleet."""


EMPTY_TREE = Problem(
    Location("."),
    "",
    "no strategy files: the tree is empty",
    "check source.path and ref, or commit a strategy; to end all bots, keep one file with state: stopped",
)
"""Never read as "nothing is desired"."""


def make_desired(  # noqa: PLR0913  (where the files come from, and two settings)
    files: Iterable[tuple[str, Checked]],
    *,
    commit: str,
    ref: str,
    targets: Collection[str],
    on_invalid: str = REJECT,
    allow_empty: bool = False,
) -> Desired:
    """Put the files (path → Checked) of a revision together.

    Raises:
        InvalidFiles: an error under `reject`; no strategy at all unless `allow_empty`.
    """
    tree = _Tree(targets)
    for path, checked in files:
        tree.add(path, checked)
    problems, held = tuple(sorted(tree.problems)), frozenset(tree.held)
    if not tree.specs and not held and not allow_empty:
        problems = (*problems, EMPTY_TREE)
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    if failed and (on_invalid == REJECT or not (tree.specs or held)):
        raise InvalidFiles(problems)
    specs = {key: spec for key, spec in tree.specs.items() if key not in held} if held else tree.specs
    return Desired(commit, ref, specs, held, problems, tree.unsure)


def amend(before: Desired, files: Iterable[tuple[str, Checked]], *, commit: str) -> Desired | None:
    """`before` with a few files changed, as `make_desired` would make it of the whole tree, in no time.

    None if it takes a look at the whole tree: names, targets or the number of strategies may be others now,
    or there is a problem to report.
    """
    specs = dict(before.specs)
    for path, checked in files:
        if len(checked.specs) != 1 or checked.problems or checked.broken or before.held or before.problems:
            return None
        spec = checked.specs[0] if checked.specs[0].name else _named(checked.specs[0], _stem(path))
        old = specs.get(spec.key)
        if old is None or old.location.file != path:
            return None
        specs[spec.key] = spec
    return Desired(commit, before.ref, specs)


def desired_of(revision: Revision, settings: Settings) -> Desired:
    """What a revision wants under `settings`.

    Raises:
        InvalidFiles: under `on_invalid: reject`, or nothing can be read from the tree.
    """
    return make_desired(
        revision.files,
        commit=revision.commit,
        ref=revision.ref,
        targets=settings.targets,
        on_invalid=settings.sync.on_invalid,
    )


def amended(before: Desired, old: Revision, new: Revision, settings: Settings) -> Desired:
    """What `new` wants, cheaply where it differs from `old` (of which `before` was made) in a few files.

    Raises:
        InvalidFiles: as `desired_of`.
    """
    if len(old.files) != len(new.files):
        return desired_of(new, settings)
    pairs = zip(old.files, new.files, strict=True)
    touched = [(was, is_) for was, is_ in pairs if was is not is_ and was != is_]
    if len(touched) > FEW or any(len(was[1].specs) != 1 for was, _ in touched):
        return desired_of(new, settings)  # a file that had several strategies may have lost one
    return amend(before, [is_ for _, is_ in touched], commit=new.commit) or desired_of(new, settings)


def changed_keys(before: Desired, after: Desired) -> set[Key]:
    """The strategies that two revisions want differently."""
    held = before.held ^ after.held
    if [*before.specs] == [*after.specs]:
        # As most commits leave it: no name has to be looked up, which takes 4 ms for 10,000.
        pairs = zip(after.specs.items(), before.specs.values(), strict=True)
        return {key for (key, spec), old in pairs if spec is not old and spec != old} | held
    was = before.specs.get
    other = {key for key, spec in after.specs.items() if spec != was(key)}
    return other | (before.specs.keys() - after.specs.keys()) | held


class _Tree:
    """The strategies met so far, and what is wrong with them together. What is in `held` is not to be applied,
    whether it is in `specs` or not.
    """

    def __init__(self, targets: Collection[str]) -> None:
        self._targets = targets
        self.specs: dict[Key, StrategySpec] = {}
        self.held: set[Key] = set()
        self.unsure = False
        self.problems: list[Problem] = []

    def add(self, path: str, checked: Checked) -> None:
        """Take in a file. One with an error is held as a whole: its good documents may belong to the others."""
        self.problems += checked.problems
        stem = _stem(path)
        nameless = [spec.name for spec in checked.specs].count("") + checked.broken.count("")
        for given in checked.specs:
            spec = given if given.name else _named(given, stem)
            self._add_spec(spec, path, alone=bool(given.name) or nameless == 1)
            if checked.broken:
                self._hold(spec.name)
        for name in checked.broken:
            self._hold(name or stem)
        self.unsure = self.unsure or None in checked.broken

    def _add_spec(self, spec: StrategySpec, path: str, *, alone: bool) -> None:
        key = spec.key
        unnamed = self._problems_of_name(spec, path, alone=alone)
        problems = unnamed or self._problems_of_key(spec, key)
        if problems:
            self.problems += problems
            self.unsure = self.unsure or bool(unnamed)
            self._hold(spec.name)
        else:
            self.specs[key] = spec

    def _problems_of_name(self, spec: StrategySpec, path: str, *, alone: bool) -> list[Problem]:
        if not alone:
            fix = "give each document of the file a strategy_name"
            what = f"two documents would be called {spec.name}"
        elif not is_name(spec.name):
            fix = "rename the file, or set strategy_name: letters, digits, . _ and -, at most 64"
            what = f"{_stem(path)!r} is not an allowed name"
        else:
            return []
        return [Problem(spec.location, "strategy_name", what, fix)]

    def _problems_of_key(self, spec: StrategySpec, key: Key) -> list[Problem]:
        if spec.target not in self._targets:
            fix = f"write one of {', '.join(sorted(self._targets))}, or add it to targets in reconciler.yaml"
            return [Problem(spec.location, "target", f"there is no target {spec.target!r}", fix)]
        other = self.specs.get(key)
        return [] if other is None else [_twice(spec, other), _twice(other, spec)]

    def _hold(self, name: str) -> None:
        """Leave a strategy alone wherever it may run: its file cannot be trusted to say where."""
        self.held.update(Key(target, name) for target in self._targets)


def _twice(spec: StrategySpec, other: StrategySpec) -> Problem:
    what = f"strategy {spec.key} stands in {other.location} too"
    return Problem(spec.location, "strategy_name", what, "rename or remove one of the two")


def _stem(path: str) -> str:
    """A file's name without folder and ending, as `splitext` has it: files whose name begins with a dot are none."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _named(spec: StrategySpec, stem: str) -> StrategySpec:
    return msgspec.structs.replace(spec, name=stem)
