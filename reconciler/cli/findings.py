"""
Findings of `validate`: the files that are checked, and their problems. cli/render shows them.

Rule 1: files that are named are judged among all files of the tree that they belong to, since two of them may be
one strategy; only problems of the named ones are reported.
Rule 2: names stay as the person or the tree spells them; services that show findings next to the code get paths
from the repository's root.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from reconciler.desired import make_desired
from reconciler.errors import ExitCode, InvalidFiles, Problem, Severity, SourceError
from reconciler.settings.model import Settings
from reconciler.sources.base import Checked, is_strategy_file
from reconciler.sources.check import check
from reconciler.sources.git import is_remote
from reconciler.sources.git_source import find_repository
from reconciler.sources.loader import catalog_of, open_loader, placed
from reconciler.sources.worktree import readable

Files: TypeAlias = dict[str, Checked]
"""Name of a file → what it says."""

Tree: TypeAlias = Mapping[str, tuple[str, Checked]]
"""Whole path of a file → its name in the tree, and what it says."""

EVERYWHERE = "."
"""The place of a problem of the tree as a whole."""


class Findings(msgspec.Struct, frozen=True):
    """What was checked (`files`, with or without a problem), and all that is wrong with it, in file order.

    `root`: the repository's whole path, empty where there is none; `below`: where in it names are relative to.
    """

    files: tuple[str, ...]
    strategies: int
    problems: tuple[Problem, ...]
    root: str = ""
    below: str = ""

    def count(self, severity: Severity) -> int:
        return sum(problem.severity is severity for problem in self.problems)

    @property
    def valid(self) -> int:
        """How many files have no error."""
        wrong = {problem.location.file for problem in self.problems if problem.severity is Severity.ERROR}
        return sum(file not in wrong for file in self.files)

    @property
    def exit_code(self) -> ExitCode:
        """5 if there is an error; warnings are none."""
        return ExitCode.INVALID if self.count(Severity.ERROR) else ExitCode.OK

    def strict(self) -> Findings:
        """The same with every warning an error."""
        replace = msgspec.structs.replace
        problems = (replace(problem, severity=Severity.ERROR) for problem in self.problems)
        return replace(self, problems=tuple(problems))

    def from_root(self, file: str) -> str:
        """The path of `file` from the repository's root; as it is for one that is outside of it."""
        path = posixpath.normpath(posixpath.join(self.below, file))
        return path.removeprefix(f"{self.root}/") if self.root else path


def find(settings: Settings, paths: tuple[Path, ...], ref: str | None) -> Findings:
    """Check `paths`; without any, the tree of the settings: at `ref`, or as its files stand.

    Raises:
        SourceError: a file, the folder or the ref cannot be read.
    """
    if paths:
        return _find_named(settings, paths)
    files = _tree(settings, ref)
    is_elsewhere = ref is not None and is_remote(settings.source.repository)
    root, below = ("", "") if is_elsewhere else _repository(_folder(settings))
    return Findings(tuple(files), _strategies(files), _problems(files, settings), root, below)


def _tree(settings: Settings, ref: str | None) -> Files:
    source = settings.source
    changes: dict[str, object] = {"ref": ref, "worktree": False} if ref else {"worktree": True}
    if ref is None:
        changes["repository"] = str(_folder(settings))
    changed = msgspec.structs.replace(settings, source=msgspec.structs.replace(source, **changes))
    return dict(open_loader(changed, catalog_of(settings)).load().files)


def _folder(settings: Settings) -> Path:
    """The working tree; one of a repository elsewhere is taken to be here."""
    repository = settings.source.repository
    return Path() if is_remote(repository) else Path(repository)


# -- files that are named


def _find_named(settings: Settings, paths: tuple[Path, ...]) -> Findings:
    named: dict[str, Path] = {}
    for path in paths:
        files = [path]
        if path.is_dir():
            below = (file for file in path.rglob("*") if is_strategy_file(file.relative_to(path).as_posix()))
            files = sorted(file for file in below if file.is_file())
        # the one spelling of where a file stands; it may be a link itself
        named |= {readable(file.parent.resolve() / file.name): file for file in files}
    names = {whole: readable(file) for whole, file in named.items()}
    tree = _tree_with(settings, named)
    catalog = catalog_of(settings)
    in_tree: Files = {}  # the whole tree, its named files as they are spelled here; nothing if none is named
    if tree.keys() & named.keys():
        spelled = [(names.get(whole, name), checked) for whole, (name, checked) in tree.items()]
        in_tree = {name: placed(checked, name) for name, checked in spelled}
    outside: Files = {}
    for whole, file in named.items():
        if whole not in tree:
            try:
                text = file.read_bytes()
            except OSError as error:
                raise SourceError(f"cannot read {readable(file)}: {error.strerror}") from error
            outside[names[whole]] = check(text, readable(file), catalog)
    may_be_empty = bool(in_tree) or not any(path.is_dir() for path in paths)
    problems = (
        *(_problems(in_tree, settings, may_be_empty=True) if in_tree else ()),
        *(_problems(outside, settings, may_be_empty=may_be_empty) if outside or not in_tree else ()),
    )
    shown = {*names.values(), EVERYWHERE}
    return Findings(
        tuple(names.values()),
        _strategies({**in_tree, **outside}, names.values()),
        tuple(sorted(problem for problem in problems if problem.location.file in shown)),
        *_repository(Path()),
    )


def _tree_with(settings: Settings, named: Iterable[str]) -> Tree:
    """The files of the tree; none if nothing that is named is in its folder."""
    folder = readable(_folder(settings).resolve())
    below = posixpath.join(folder, settings.source.path.strip("/"), "")
    if not any(whole.startswith(below) for whole in named):
        return {}
    files = _tree(settings, None)
    return {posixpath.join(folder, name): (name, checked) for name, checked in files.items()}


# -- what is wrong


def _problems(files: Files, settings: Settings, *, may_be_empty: bool = False) -> tuple[Problem, ...]:
    """What is wrong with each file, and with all of them together."""
    try:
        return make_desired(
            files.items(), commit="", ref="", targets=settings.targets, allow_empty=may_be_empty
        ).problems
    except InvalidFiles as error:
        return error.problems


def _strategies(files: Files, names: Iterable[str] | None = None) -> int:
    return sum(len(files[name].specs) for name in (files if names is None else names))


def _repository(folder: Path) -> tuple[str, str]:
    """The whole path of the repository that `folder` is in, and where in it; nothing if it is in none."""
    try:
        below = find_repository(folder)[1]
    except SourceError:
        return "", ""
    whole = readable(folder.resolve())
    return whole.removesuffix(f"/{below}") if below else whole, below
