"""
A source's newest revision → its files, checked; what was checked before is taken from a cache.

Rule 1: a revision is read whole or not at all; SourceError leaves the last one in force.
Rule 2: only blobs that are new are read; a blob's result depends on its bytes, our schemas and our version.
Rule 3: the cache is a shortcut: lost, damaged or of another version, it is made again.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import msgspec

from reconciler import __version__
from reconciler.catalog import Catalog
from reconciler.errors import Location, Problem
from reconciler.settings import SourceSettings
from reconciler.sources.check import Checked, check
from reconciler.sources.documents import MAX_BYTES, is_strategy_file
from reconciler.sources.git import GitSource, Head, TreeFile
from reconciler.sources.worktree import WorktreeSource


class Source(Protocol):
    """Where revisions come from: Git, or a working tree as it stands."""

    ref: str
    path: str

    def refresh(self) -> Head: ...

    def tree(self, head: Head) -> Mapping[str, TreeFile]: ...

    def changed(self, old: Head, new: Head) -> Mapping[str, TreeFile | None]: ...

    def blobs(self, ids: list[str]) -> Iterator[tuple[str, bytes | None]]: ...


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


class _Cache(msgspec.Struct):
    """Results by blob, and what they were made with."""

    made_with: str
    results: dict[str, Checked]


_decoder = msgspec.json.Decoder(_Cache, float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Loader:
    """Loads revisions of one source, and remembers what it has checked, also over restarts."""

    def __init__(self, source: Source, catalog: Catalog, cache_dir: Path) -> None:
        self.source = source
        self._catalog = catalog
        self._file = cache_dir / "checked.json"
        self._made_with = f"{__version__} {catalog.schema_hash}"
        self._results: dict[str, Checked] | None = None
        self._head: Head | None = None
        self._tree: dict[str, TreeFile] = {}
        self._revision: Revision | None = None

    def load(self) -> Revision:
        """The newest revision. One git call if nothing has changed; the same object then.

        Raises:
            SourceError: it cannot be read.
        """
        head = self.source.refresh()
        if self._revision is not None and self._head == head:
            return self._revision
        self._tree = self._tree_of(head)
        files = {path: file for path, file in self._tree.items() if self._is_ours(path)}
        results = self._check(files)
        checked = ((path, _placed(results[file.blob], path)) for path, file in sorted(files.items()))
        self._revision = Revision(head.commit, self.source.ref, tuple(checked))
        self._head = head
        return self._revision

    def _tree_of(self, head: Head) -> dict[str, TreeFile]:
        """The files of `head`; from the tree before it, only what differs is asked for."""
        if self._head is None:
            return dict(self.source.tree(head))
        tree = dict(self._tree)
        for path, file in self.source.changed(self._head, head).items():
            if file is None:
                tree.pop(path, None)
            else:
                tree[path] = file
        return tree

    def _is_ours(self, path: str) -> bool:
        below = posixpath.relpath(path, self.source.path) if self.source.path else path
        return is_strategy_file(below)

    # -- results

    def _check(self, files: Mapping[str, TreeFile]) -> dict[str, Checked]:
        results = self._known()
        wanted = {file.blob: path for path, file in files.items()}
        links = {file.blob for file in files.values() if file.link}
        new = [blob for blob in wanted if blob not in results]
        for blob, text in self.source.blobs(new):
            path = wanted[blob]
            results[blob] = _link(path) if blob in links else self._checked(text, path)
        if new or len(results) > 2 * len(wanted):
            self._results = {blob: results[blob] for blob in wanted}
            self._keep()
        return results

    def _checked(self, text: bytes | None, path: str) -> Checked:
        if text is None:
            what = f"more than the {MAX_BYTES:,} bytes that a strategy file may have"
            return Checked(
                problems=(Problem(Location(path), "", what, "split it into several files"),), broken=("",)
            )
        return check(text, path, self._catalog)

    def _known(self) -> dict[str, Checked]:
        if self._results is None:
            self._results = {}
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                cache = _decoder.decode(self._file.read_bytes())
                if cache.made_with == self._made_with:
                    self._results = cache.results
        return self._results

    def _keep(self) -> None:
        """Write the cache beside itself and swap: a reader never sees half of it."""
        cache = _encoder.encode(_Cache(self._made_with, self._results or {}))
        beside = self._file.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(cache)
            beside.replace(self._file)


def _link(path: str) -> Checked:
    what = "a symbolic link; what it points to may lie outside of the repository"
    return Checked(problems=(Problem(Location(path), "", what, "commit the file itself"),), broken=("",))


def _placed(checked: Checked, path: str) -> Checked:
    """`checked` with its places in `path`: equal files share one result, and files are renamed."""
    if all(spec.location.file == path for spec in checked.specs) and all(
        problem.location.file == path for problem in checked.problems
    ):
        return checked
    replace = msgspec.structs.replace
    return Checked(
        tuple(replace(spec, location=replace(spec.location, file=path)) for spec in checked.specs),
        tuple(
            replace(problem, location=replace(problem.location, file=path)) for problem in checked.problems
        ),
        checked.broken,
    )
