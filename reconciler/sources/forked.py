"""
Work in a copy of this process: it begins at once, with all that is imported here, and its result comes as bytes
in a piece of memory that both share.

Rule 1: copied is only what can be: on Linux, a process with one thread and no event loop. Else nothing is begun.
Rule 2: the copy does its work and is gone; nothing that this process would do at its end is done there.
Rule 3: whatever goes wrong in the copy, it gives no result, and whoever asked does the work himself.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeAlias

BEHIND = 10
"""How nice a copy is: hearing the bots goes first, since a broker drops what nobody takes in time."""

LEAVE_S = 2.0
"""How long a copy that is not wanted any more may take to end what it has started."""

POLL_S = 0.002
DONE = b"."
"""What a copy says when its result is complete."""

Result: TypeAlias = bytes | mmap.mmap
Collect: TypeAlias = Callable[[float], Result | None]
"""Waits for the result, at most so many seconds; None if there is none."""

Work: TypeAlias = Callable[[Callable[[bytes], None]], None]
"""Hands its result to what it is given, and may go on after that with what nobody waits for."""


def can_fork() -> bool:
    """Whether a copy of this process could work: no lock is held by a thread that it would not have."""
    return sys.platform == "linux" and threading.active_count() == 1 and not _in_a_loop()


def _in_a_loop() -> bool:
    """A loop runs only where its module was imported; for the copy's sake it is not imported here."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextlib.contextmanager
def forked(work: Work) -> Iterator[Collect | None]:
    """Begin `work` in a copy; what is yielded waits for its result, None if there is no copy.

    At the end the copy is gone, done or not; one that has given its result may go on for `LEAVE_S`.
    """
    copy = _fork(work) if can_fork() else None
    if copy is None:
        yield None
        return
    try:
        yield copy.collect
    finally:
        copy.close()


def _fork(work: Work) -> _Copy | None:
    shared = os.memfd_create("reconciler")
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError:  # no more processes allowed
        pid = -1
    if pid == 0:
        os.close(reading)
        _be_the_copy(work, shared, writing)
    os.close(writing)
    if pid < 0:
        os.close(reading)
        os.close(shared)
        return None
    return _Copy(pid, shared, reading)


def _be_the_copy(work: Work, shared: int, writing: int) -> NoReturn:
    status = 1

    def hand_over(result: bytes) -> None:
        with open(shared, "wb", closefd=False) as file:
            file.write(result)
        os.write(writing, DONE)

    try:
        gc.disable()
        os.nice(BEHIND)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        work(hand_over)
        status = 0
    except BaseException:  # noqa: BLE001, S110  (rule 3; what is raised here has nobody to go to)
        pass
    finally:
        os._exit(status)


def _leave(*_: object) -> NoReturn:
    """End in order: what was started for the work is ended by whoever started it."""
    sys.exit(1)


class _Copy:
    """A running copy, the memory where its result will stand, and the pipe on which it says so."""

    def __init__(self, pid: int, shared: int, reading: int) -> None:
        self._pid = pid
        self._shared = shared
        self._reading = reading
        self._gone = False
        self._gave = False

    def collect(self, timeout_s: float) -> Result | None:
        """As `Collect`."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        if not poll.poll(timeout_s * 1_000) or os.read(self._reading, len(DONE)) != DONE:
            return None
        self._gave = True
        size = os.fstat(self._shared).st_size
        return mmap.mmap(self._shared, size, prot=mmap.PROT_READ) if size else b""

    def close(self) -> None:
        """See that it is gone: at once, unless it has given its result and only tidies up."""
        os.close(self._reading)
        os.close(self._shared)
        if not (self._gave and self._ends(LEAVE_S)) and not self._ends(0.0):
            os.kill(self._pid, signal.SIGTERM)
        if not self._ends(LEAVE_S):
            os.kill(self._pid, signal.SIGKILL)
            self._ends(LEAVE_S)

    def _ends(self, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while not self._gone:
            self._gone = os.waitpid(self._pid, os.WNOHANG)[0] != 0
            if not self._gone and time.monotonic() >= deadline:
                return False
            if not self._gone:
                time.sleep(POLL_S)
        return True
