"""Files on disk, each operation once for the whole package: replacing a file as a whole, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LOCK_POLL_S = 0.05
"""How often a lock that another process holds is tried again."""


def write_atomically(file: Path, data: bytes, *, mode: int = 0o666, sync: bool = False) -> None:
    """Replace `file` by `data` as a whole: a reader sees the old content or the new one, never a part.

    `mode`: permissions of the file (the umask applies). `sync`: also survive a power failure.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(descriptor, "wb") as out:  # noqa: PTH123  (by descriptor, for the mode)
            out.write(data)
            if sync:
                out.flush()
                os.fsync(out.fileno())
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


class FileLocked(Exception):
    """Another process holds the lock; `holder` is the text that it wrote into the file, mostly its pid."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """A lock between processes, held by an open file: it is free again however its holder ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, timeout_s: float = 0.0) -> None:
        """Take the lock and write our pid into its file.

        Raises:
            FileLocked: another process keeps it for `timeout_s`.
            OSError: the file cannot be opened or written.
        """
        file = self._file = self._file or self.path.open("a+")
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise FileLocked(file.read().strip() or "unknown") from None
                time.sleep(LOCK_POLL_S)
            else:
                file.seek(0)
                file.truncate()
                file.write(str(os.getpid()))
                file.flush()
                return

    def release(self) -> None:
        """Let others have the lock; the file stays open for the next `acquire`."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the lock and close its file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextlib.contextmanager
    def held(self, timeout_s: float = 0.0) -> Iterator[None]:
        """Hold the lock while the block runs.

        Raises:
            FileLocked, OSError: as `acquire`.
        """
        self.acquire(timeout_s)
        try:
            yield
        finally:
            self.release()


def lock_holder(path: Path) -> str:
    """Return what the holder of the lock at `path` wrote into its file, mostly its pid; empty if it is free."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
    else:
        return ""
    finally:
        os.close(handle)
