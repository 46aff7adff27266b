"""A working tree as it stands → files, under the same interface as Git. For development, and for `validate`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.sources.documents import MAX_BYTES, is_strategy_file
from reconciler.sources.git import Head, TreeFile

WORKTREE = "worktree"
"""Stands for a commit where there is none."""


class WorktreeSource:
    """The files below `root`/`path`. A file's id is a hash of its bytes, so that caches work as for Git."""

    def __init__(self, root: Path, path: str) -> None:
        self.ref = WORKTREE
        self.path = path.strip("/")
        self._root = root
        self._files: dict[str, TreeFile] = {}
        self._texts: dict[str, bytes | None] = {}
        self._stamps: dict[str, tuple[int, int]] = {}

    def refresh(self) -> Head:
        """Look at the files; those with the size and time that they had are not read again.

        Raises:
            SourceError: the folder is not there or cannot be read.
        """
        folder = self._root / self.path
        if not folder.is_dir():
            raise SourceError(f"there is no folder {folder}", fix="make it, or set source.path")
        try:
            self._look(folder)
        except OSError as error:
            raise SourceError(
                f"cannot read {error.filename}: {error.strerror}", fix="mend its rights"
            ) from error
        listing = "\n".join(f"{path} {file.blob} {file.link}" for path, file in sorted(self._files.items()))
        return Head(WORKTREE, hashlib.sha256(listing.encode()).hexdigest())

    def _look(self, folder: Path) -> None:
        found: dict[str, TreeFile] = {}
        texts: dict[str, bytes | None] = {}
        for file in sorted(folder.rglob("*.y*ml")):
            path = file.relative_to(self._root).as_posix()
            if not is_strategy_file(file.relative_to(folder).as_posix()):
                continue
            if file.is_symlink() and not self._inside(file):
                found[path] = TreeFile(_id(path.encode()), link=True)
                texts[found[path].blob] = b""
            elif file.is_file():
                found[path] = self._file(path, file, texts)
        self._files, self._texts = found, texts

    def _inside(self, link: Path) -> bool:
        return link.resolve().is_relative_to(self._root.resolve())

    def _file(self, path: str, file: Path, texts: dict[str, bytes | None]) -> TreeFile:
        stat = file.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._files.get(path)
        if known is not None and self._stamps.get(path) == stamp and known.blob in self._texts:
            texts[known.blob] = self._texts[known.blob]
            return known
        text = file.read_bytes() if stat.st_size <= MAX_BYTES else None
        blob = _id(text if text is not None else f"{path} {stamp}".encode())
        self._stamps[path] = stamp
        texts[blob] = text
        return TreeFile(blob)

    def tree(self, head: Head) -> dict[str, TreeFile]:
        """All files, as last looked at."""
        del head
        return dict(self._files)

    def changed(self, old: Head, new: Head) -> dict[str, TreeFile | None]:
        """Everything: telling what differs would cost as much."""
        del old, new
        return dict(self._files)

    def blobs(self, ids: list[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of files by their id; None for one that is too large."""
        for blob in ids:
            yield blob, self._texts[blob]


def _id(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
