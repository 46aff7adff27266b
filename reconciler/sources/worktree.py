"""A working tree as it stands → files, under the same interface as Git. For development, and for `validate`."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.sources.base import Head, TreeFile, refused_link
from reconciler.sources.yaml.document import MAX_BYTES

WORKTREE = "worktree"
"""Stands for a commit where there is none."""

SETTLED_S = 0.1
"""A file changed less than this before it was read may change again within the same tick of its clock."""


class WorktreeSource:
    """The files below `root`/`path`; ids are those that Git would give, so that caches serve both."""

    def __init__(self, root: Path, path: str) -> None:
        self.ref = WORKTREE
        self.path = path.strip("/")
        self._folder = root / self.path
        self._files: dict[str, TreeFile] = {}
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._texts: dict[str, bytes | None] = {}
        self._places: dict[str, Path] = {}

    def refresh(self) -> Head:
        """Look at the files; those with the size and times that they had are not read again.

        Raises:
            SourceError: the folder is not there or cannot be read.
        """
        if not self._folder.is_dir():
            raise SourceError(f"there is not a folder {self._folder}", fix="make it, or set source.path")
        self._texts, self._places = {}, {}
        try:
            self._files = {path: self._file(path, file) for path, file in sorted(self._walk())}
        except OSError as error:
            what = f"cannot read {error.filename or self._folder}: {error.strerror}"
            raise SourceError(what, fix="fix its permissions") from error
        listing = "\n".join(f"{path}\t{file.blob}\t{file.problem}" for path, file in self._files.items())
        return Head(WORKTREE, hashlib.sha256(listing.encode(errors="replace")).hexdigest())

    def _walk(self) -> Iterator[tuple[str, Path]]:
        """Path and place of every file and link; folders whose name begins with `.` or `_` are skipped."""

        def fail(error: OSError) -> None:
            raise error

        for place, folders, names in os.walk(self._folder, onerror=fail):
            links = [name for name in folders if Path(place, name).is_symlink()]
            folders[:] = [name for name in folders if not name.startswith((".", "_")) and name not in links]
            for name in (*names, *links):
                file = Path(place, name)
                below = readable(file.relative_to(self._folder))
                yield f"{self.path}/{below}" if self.path else below, file

    def _file(self, path: str, file: Path) -> TreeFile:
        if file.is_symlink():
            target = Path(os.path.realpath(file))
            if not target.is_relative_to(os.path.realpath(self._folder)):
                return refused_link("leaves the folder of the strategies")
            if not target.is_file():
                return refused_link("points to a folder or to nothing")
        stat = file.stat()
        stamp = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
        known = self._files.get(path)
        if known is None or known.problem or self._stamps.get(path) != stamp:
            known = self._read(file, stat.st_size)
            settled = time.time() - stat.st_mtime > SETTLED_S
            self._stamps[path] = stamp if settled else ()
        self._places[known.blob] = file
        return known

    def _read(self, file: Path, size: int) -> TreeFile:
        content = file.read_bytes if file.is_file() else bytes  # reading a pipe would wait for ever
        text = content() if size <= MAX_BYTES else None
        blob = f"large {file}"
        if text is not None:
            blob = hashlib.sha1(b"blob %d\0%b" % (len(text), text), usedforsecurity=False).hexdigest()
        self._texts[blob] = text
        return TreeFile(blob)

    def tree(self, head: Head) -> dict[str, TreeFile]:
        """All files, as last looked at."""
        del head
        return self._files

    def changed(self, old: Head, new: Head) -> None:
        """None: `tree` has to be read, which costs nothing here."""
        del old, new

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        """The contents of files by id; None for one larger than a strategy file may be.

        Raises:
            SourceError: a file is no longer what it was.
        """
        for blob in ids:
            if blob not in self._texts and self._read(self._places[blob], 0).blob != blob:
                raise SourceError(f"{self._places[blob]} changed while it was read", fix="try again")
            yield blob, self._texts[blob]


def readable(path: Path) -> str:
    """A path as it can be printed and stored: what is no UTF-8 in it is replaced, as in Git's own listings."""
    return os.fsencode(path).decode(errors="replace")
