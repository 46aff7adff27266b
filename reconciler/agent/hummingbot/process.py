"""
Processes that outlive the one that began them: begun, found again, signalled and waited for. Linux only.

Rule 1: a process is known by its id, the moment of its birth and the machine's boot: ids are used again.
Rule 2: it is watched and signalled through a pidfd (pidfd_open(2)), which never comes to mean another process.
Rule 3: what is secret goes in over a pipe; arguments and environment can be read by others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"

_AFTER_NAME = ") "
_BIRTH_FIELD = 19
"""proc(5), /proc/PID/stat: starttime is field 22; the third comes first after the name in brackets."""

_LARGEST_INPUT = 60_000
"""Bytes: a pipe holds 65,536 (pipe(7)), so that writing them never waits for the reader."""

_PAGE = os.sysconf("SC_PAGESIZE")


class ProcessIdentity(msgspec.Struct, frozen=True):
    """Which process: `started` in clock ticks since boot, `boot` the machine's boot id."""

    pid: int
    started: int
    boot: str


class Process:
    """One process, ours or a stranger's child. `close` lets go of it; it lives on."""

    def __init__(self, identity: ProcessIdentity, handle: int) -> None:
        self.identity = identity
        self._handle = handle
        self._ended: int | None = None

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for the signal that ended it. None: it lives, or another process was told."""
        return self._ended

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        if not _is_readable(self._handle):
            return True
        self._reap()
        return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended hears nothing."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    async def wait(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        handle = os.dup(self._handle)  # the loop knows one waiter for each descriptor
        loop.add_reader(handle, over.set)
        try:
            async with asyncio.timeout(timeout_s):
                await over.wait()
        except TimeoutError:
            return not self.alive
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        self._reap()
        return True

    def memory_bytes(self) -> int:
        """What it holds in memory now (resident set size); 0 if it has ended."""
        try:
            pages = int((_PROC / str(self.pid) / "statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * _PAGE

    def close(self) -> None:
        """Let go of it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _reap(self) -> None:
        """Take its end, if it was ours to take."""
        with contextlib.suppress(ChildProcessError):
            found = os.waitid(os.P_PIDFD, self._handle, os.WEXITED | os.WNOHANG)
            if found is not None:
                killed = found.si_code != os.CLD_EXITED
                self._ended = -found.si_status if killed else found.si_status


def begin(argv: Sequence[str], env: Mapping[str, str], *, secret: bytes, output: Path) -> Process:
    """Begin a process in a session of its own. `secret`: what it reads on its stdin; the rest goes to `output`.

    Raises:
        OSError: it could not be begun.
        ValueError: `secret` is too long.
    """
    if len(secret) > _LARGEST_INPUT:
        raise ValueError(f"{len(secret)} bytes are too many for a pipe")
    reading, writing = os.pipe()
    try:
        os.write(writing, secret)
        os.close(writing)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_DUP2, reading, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        defaults = [signal.SIGPIPE, signal.SIGTERM, signal.SIGINT]
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            dict(env),
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=defaults,
        )
    finally:
        os.close(reading)
    return _held(pid)


def _held(pid: int) -> Process:
    """Our own child, which keeps its id until we take its end."""
    handle = os.pidfd_open(pid)
    return Process(ProcessIdentity(pid, _started(pid) or 0, _boot()), handle)


def find(identity: ProcessIdentity) -> Process | None:
    """The process that was born so, if it lives."""
    if identity.boot != _boot():
        return None
    return _open(identity.pid, identity.started)


def find_by_argument(argument: str) -> Process | None:
    """A living process of this user that was begun with `argument` among its arguments."""
    for pid in _pids():
        if argument in _arguments(pid):
            return _open(pid, _started(pid))
    return None


def _open(pid: int, started: int | None) -> Process | None:
    try:
        handle = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return None
    if started is None or _started(pid) != started or _is_readable(handle):
        os.close(handle)
        return None
    return Process(ProcessIdentity(pid, started, _boot()), handle)


def _pids() -> Iterator[int]:
    own = os.getuid()
    for entry in _PROC.iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and entry.stat().st_uid == own:
                yield int(entry.name)


def _arguments(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="replace") for part in text.split(b"\0")]


def _started(pid: int) -> int | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return int(text.rpartition(_AFTER_NAME)[2].split()[_BIRTH_FIELD])


def _boot() -> str:
    return _BOOT.read_text().strip()


def _is_readable(handle: int) -> bool:
    """Whether the process of a pidfd has ended; poll, since select cannot have numbers over 1,023."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))
