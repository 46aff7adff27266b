"""
A source's newest revision → its files, checked; what was checked before is not read again.

Rule 1: a revision is read whole or not at all; SourceError leaves the last one in force.
Rule 2: only blobs that are new are read; a blob's result depends on its bytes, our schemas and our version.
Rule 3: what cannot be read as a file (a link that leads out, a submodule) is a Problem, not an absence.
Rule 4: rules across files see each revision whole; what they find is no part of what is remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reconciler import __version__
from reconciler.catalog import Catalog
from reconciler.catalog.loading import load_catalog
from reconciler.errors import Location, Problem
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import PolicySettings, Settings, SourceSettings
from reconciler.sources.base import Checked, Head, Revision, Source, TreeFile, is_strategy_file
from reconciler.sources.cache import SLACK, ResultCache
from reconciler.sources.git_source import GitSource
from reconciler.sources.worktree import WorktreeSource
from reconciler.sources.yaml.document import MAX_BYTES

if TYPE_CHECKING:
    from reconciler.sources.policy.rules import PolicyRules


def open_source(settings: SourceSettings, cache_dir: Path) -> Source:
    """The source that the settings name; touches nothing yet."""
    if settings.worktree:
        return WorktreeSource(Path(settings.repository), settings.path)
    return GitSource(settings, cache_dir)


class Loader:
    """Loads revisions of one source, and remembers what it has checked, also over restarts.

    `rules`: those of the settings' policy; None judges each file by itself.
    """

    def __init__(
        self, source: Source, catalog: Catalog, cache_dir: Path, rules: PolicyRules | None = None
    ) -> None:
        self.source = source
        self._catalog = catalog
        self._rules = rules
        self._cache = ResultCache(cache_dir / "checked", f"{__version__} {catalog.schema_hash}")
        self._results: dict[str, Checked] | None = None
        self._tree: dict[str, TreeFile] = {}
        self._files: dict[str, tuple[str, Checked]] = {}
        self._head: Head | None = None
        self._revision = Revision("", "", ())

    def load(self) -> Revision:
        """The newest revision; while nothing changes, at the cost of one git call, the same object.

        Raises:
            SourceError: it cannot be read; the next call tries again.
        """
        head = self.source.refresh()
        if head != self._head:
            changed = self.source.changed(self._head, head) if self._head is not None else None
            if changed is None:
                tree = sorted(self.source.tree(head).items())
                there = {path: file for path, file in tree if self._counts(path, file)}
                self._files = self._checked(there)
                self._tree = there
            else:
                self._take_changes(changed)
            files = self._revision.files
            if changed is None or changed:
                files = tuple(self._files.values())
                files = self._rules.judge(files, self._texts) if self._rules is not None else files
            self._revision = Revision(head.commit, self.source.ref, files)
            self._head = head
        return self._revision

    def _take_changes(self, changed: Mapping[str, TreeFile | None]) -> None:
        """What differs is checked; of all else the rows stay the very same objects, and in order."""
        there = {
            path: file for path, file in changed.items() if file is not None and self._counts(path, file)
        }
        fresh = self._checked(there)
        added = fresh.keys() - self._files.keys()
        self._files |= fresh
        self._tree |= there
        for path in changed.keys() - there.keys():
            self._files.pop(path, None)
            self._tree.pop(path, None)
        if added:
            self._files = dict(sorted(self._files.items()))

    def _texts(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """What files hold: read once more, of the few that a rule has something to say about."""
        texts = dict(self.source.blobs({self._tree[path].blob for path in paths}))
        return {path: texts[self._tree[path].blob] or b"" for path in paths}

    def _counts(self, path: str, file: TreeFile) -> bool:
        """Whether a path is a strategy file, or stands where a folder of them may have been."""
        below = path[len(self.source.path) + 1 :] if self.source.path else path
        return is_strategy_file(below) or bool(file.problem and is_strategy_file(f"{below}.yaml"))

    # -- results

    def _checked(self, files: Mapping[str, TreeFile]) -> dict[str, tuple[str, Checked]]:
        """The files by their paths as a revision has them: rows made once, and not again for each revision."""
        results = self._results_of({file.blob: path for path, file in files.items() if not file.problem})
        rows: dict[str, tuple[str, Checked]] = {}
        for path, file in files.items():
            if file.problem:
                problem = Problem(Location(path), "", file.problem, file.fix)
                rows[path] = path, Checked(problems=(problem,), broken=(None,))
            else:
                rows[path] = path, placed(results[file.blob], path)
        return rows

    def _results_of(self, wanted: Mapping[str, str]) -> dict[str, Checked]:
        """The results of these blobs, among others, read and checked if they are new; `wanted`: blob → a path of it."""
        results = self._cache.read() if self._results is None else self._results
        new = {blob: path for blob, path in wanted.items() if blob not in results}
        if new:
            # Here, since an unchanged tree needs neither parser nor checks (benchmarks.cold_plan, warm).
            from reconciler.sources.check import check

            fresh: dict[str, Checked] = {}
            for blob, text in self.source.blobs(new):
                if text is None:
                    what = f"more than the {MAX_BYTES:,} bytes that a strategy file may have"
                    problem = Problem(Location(new[blob]), "", what, "split it into several files")
                    fresh[blob] = Checked(problems=(problem,), broken=(None,))
                else:
                    fresh[blob] = check(text, new[blob], self._catalog)
            results |= fresh
        if len(results) > 2 * (len(self._tree) + len(wanted)) + SLACK:
            used = {file.blob for file in self._tree.values()} | wanted.keys()
            results = {blob: checked for blob, checked in results.items() if blob in used}
        if new:
            self._cache.write(results, new)
        self._results = results
        return results


def placed(checked: Checked, path: str) -> Checked:
    """`checked` with its places in `path`: equal files share one result, and files are renamed."""
    found: tuple[StrategySpec | Problem, ...] = (*checked.specs, *checked.problems)
    if all(each.location.file == path for each in found):
        return checked
    replace = msgspec.structs.replace
    specs = (replace(spec, location=replace(spec.location, file=path)) for spec in checked.specs)
    problems = (
        replace(problem, location=replace(problem.location, file=path)) for problem in checked.problems
    )
    return Checked(tuple(specs), tuple(problems), checked.broken)


def state_dir(settings: Settings) -> Path:
    """The folder of everything that we keep: the store, the cache, the private clone."""
    return Path(settings.store.url).parent


def open_loader(settings: Settings, catalog: Catalog) -> Loader:
    """The loader that the settings describe; touches nothing until `load` is called.

    Raises:
        SettingsError: the policy names what there is not.
    """
    cache, rules = state_dir(settings) / "cache", None
    if settings.policy != PolicySettings():
        from reconciler.sources.policy.rules import PolicyRules  # as above: most settings have no policy

        rules = PolicyRules(settings.policy, catalog)
    return Loader(open_source(settings.source, cache), catalog, cache, rules)


def catalog_of(settings: Settings) -> Catalog:
    """What is known of the Hummingbot that the settings name, with the team's own schemas.

    Raises:
        SchemaError: there are no schemas of that version.
    """
    return load_catalog(settings.hummingbot_version, Path(settings.schemas) if settings.schemas else None)
