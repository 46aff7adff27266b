"""A lock between processes, held by an open file: it is free again however its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from reconciler.errors import StoreBusy, StoreError

POLL_S = 0.05


class FileLock:
    """One lock file; None for a store that no other process can see."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None

    @contextlib.contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock while the block runs.

        Raises:
            StoreBusy: another process has it and keeps it for `timeout_s`; its pid is in the message.
            StoreError: the lock's file cannot be written.
        """
        if self._path is None:
            yield
            return
        file = self._taken(self._path, timeout_s)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _taken(self, path: Path, timeout_s: float) -> IO[str]:
        try:
            self._file = self._file or path.open("a+")
            self._take(self._file, timeout_s)
        except OSError as error:
            raise StoreError(
                f"{path}: the store cannot be locked: {error.strerror}",
                fix="free disk space, or mend the folder's rights",
            ) from error
        return self._file

    def _take(self, file: IO[str], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreBusy(
                        f"another reconciler (pid {self._holder(file)}) is applying with this store",
                        fix="wait for it, or stop it",
                    ) from None
                time.sleep(POLL_S)
            else:
                file.seek(0)
                file.truncate()
                file.write(str(os.getpid()))
                file.flush()
                return

    def _holder(self, file: IO[str]) -> str:
        file.seek(0)
        return file.read().strip() or "unknown"

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
