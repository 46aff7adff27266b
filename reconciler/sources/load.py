"""
A source's newest revision → its files, checked; what was checked before is not read again.

Rule 1: a revision is read whole or not at all; SourceError leaves the last one in force.
Rule 2: only blobs that are new are read; a blob's result depends on its bytes, our schemas and our version.
Rule 3: what cannot be read as a file (a link that leads out, a submodule) is a Problem, not an absence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from reconciler import __version__
from reconciler.catalog import Catalog
from reconciler.errors import Location, Problem
from reconciler.settings import SourceSettings
from reconciler.sources.cache import ResultCache
from reconciler.sources.check import Checked
from reconciler.sources.documents import is_strategy_file
from reconciler.sources.git_source import GitSource
from reconciler.sources.tree import Head, Source, TreeFile
from reconciler.sources.workers import check_blobs
from reconciler.sources.worktree import WorktreeSource


class Revision(msgspec.Struct, frozen=True, gc=False):
    """One revision: its files in order of their path, each checked."""

    commit: str
    ref: str
    files: tuple[tuple[str, Checked], ...]


def open_source(settings: SourceSettings, cache_dir: Path) -> Source:
    """The source that the settings name; touches nothing yet."""
    if settings.worktree:
        return WorktreeSource(Path(settings.repository), settings.path)
    return GitSource(settings, cache_dir)


class Loader:
    """Loads revisions of one source, and remembers what it has checked, also over restarts."""

    def __init__(self, source: Source, catalog: Catalog, cache_dir: Path) -> None:
        self.source = source
        self._catalog = catalog
        self._cache = ResultCache(cache_dir / "checked", f"{__version__} {catalog.schema_hash}")
        self._results: dict[str, Checked] | None = None
        self._head: Head | None = None
        self._tree: dict[str, TreeFile] = {}
        self._revision: Revision | None = None

    def load(self) -> Revision:
        """The newest revision; while nothing changes, at the cost of one git call, the same object.

        Raises:
            SourceError: it cannot be read.
        """
        head = self.source.refresh()
        if self._revision is None or self._head is None or self._head.tree != head.tree:
            self._tree = self._tree_of(head)
            self._revision = Revision(head.commit, self.source.ref, self._checked())
        elif self._head.commit != head.commit:
            self._revision = msgspec.structs.replace(self._revision, commit=head.commit)
        self._head = head
        return self._revision

    def _tree_of(self, head: Head) -> dict[str, TreeFile]:
        """The files that count; from the tree before it, only what differs is asked for."""
        changed = self.source.changed(self._head, head) if self._head is not None else None
        if changed is None:
            return {path: file for path, file in self.source.tree(head).items() if self._counts(path, file)}
        tree = dict(self._tree)
        for path, file in changed.items():
            if file is not None and self._counts(path, file):
                tree[path] = file
            else:
                tree.pop(path, None)
        return tree

    def _counts(self, path: str, file: TreeFile) -> bool:
        """Whether a path is a strategy file, or stands where a folder of them may have been."""
        below = path[len(self.source.path) + 1 :] if self.source.path else path
        return is_strategy_file(below) or bool(file.problem and is_strategy_file(f"{below}.yaml"))

    # -- results

    def _checked(self) -> tuple[tuple[str, Checked], ...]:
        results = self._results_of({file.blob: path for path, file in self._tree.items() if not file.problem})
        return tuple(
            (path, _refused(path, file) if file.problem else placed(results[file.blob], path))
            for path, file in sorted(self._tree.items())
        )

    def _results_of(self, wanted: Mapping[str, str]) -> Mapping[str, Checked]:
        """The result of each blob; `wanted` gives a path where it stands."""
        known = self._cache.read() if self._results is None else self._results
        new = {blob: path for blob, path in wanted.items() if blob not in known}
        fresh = check_blobs(self.source, new, self._catalog)
        results = {blob: known[blob] if blob in known else fresh[blob] for blob in wanted}
        if new:
            self._cache.write(results, new)
        self._results = results
        return results


def _refused(path: str, file: TreeFile) -> Checked:
    problem = Problem(Location(path), "", file.problem, file.fix)
    return Checked(problems=(problem,), broken=("",))


def placed(checked: Checked, path: str) -> Checked:
    """`checked` with its places in `path`: equal files share one result, and files are renamed."""
    locations = [spec.location for spec in checked.specs] + [each.location for each in checked.problems]
    if all(location.file == path for location in locations):
        return checked
    replace = msgspec.structs.replace
    specs = (replace(spec, location=replace(spec.location, file=path)) for spec in checked.specs)
    problems = (
        replace(problem, location=replace(problem.location, file=path)) for problem in checked.problems
    )
    return Checked(tuple(specs), tuple(problems), checked.broken)
