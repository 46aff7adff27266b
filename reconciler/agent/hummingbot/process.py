"""
Processes that outlive the agent: spawned, found again, signalled and awaited. Linux only.

Rule 1: a process is identified by its id, its start time and the machine's boot, since ids are reused.
Rule 2: it is watched and signalled through a pidfd (pidfd_open(2)), which never refers to another process.
Rule 3: secrets go in over a pipe; arguments and environment can be read by others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"

_AFTER_NAME = ") "
_START_FIELD = 19
"""proc(5), /proc/PID/stat: starttime is field 22; the third is the first one after the name in brackets."""

_LARGEST_INPUT = 60_000
"""Bytes: a pipe holds 65,536 (pipe(7)), so that writing them never waits for the reader."""

_PAGE = os.sysconf("SC_PAGESIZE")


class ProcessIdentity(msgspec.Struct, frozen=True):
    """`started`: in clock ticks since boot (proc(5)). `boot`: the machine's boot id."""

    pid: int
    started: int
    boot: str


class Process:
    """One process, a child of this one or not. `close` releases its pidfd; the process lives on."""

    def __init__(self, identity: ProcessIdentity, handle: int) -> None:
        self.identity = identity
        self._handle = handle
        self._exit_code: int | None = None

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def exit_code(self) -> int | None:
        """Negative for the signal that ended it. None: it lives, or another process is its parent."""
        return self._exit_code

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        if not _has_ended(self._handle):
            return True
        self._reap()
        return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal; none to a process that has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    async def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it ended within `timeout_s`."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        handle = os.dup(self._handle)  # the loop accepts one reader for each descriptor
        loop.add_reader(handle, ended.set)
        try:
            async with asyncio.timeout(timeout_s):
                await ended.wait()
        except TimeoutError:
            return not self.alive
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        self._reap()
        return True

    def memory_bytes(self) -> int:
        """Return its resident set size; 0 if it has ended."""
        try:
            pages = int((_PROC / str(self.pid) / "statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * _PAGE

    def close(self) -> None:
        """Release the pidfd."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _reap(self) -> None:
        """Collect its exit code, if it is our child."""
        with contextlib.suppress(ChildProcessError):
            found = os.waitid(os.P_PIDFD, self._handle, os.WEXITED | os.WNOHANG)
            if found is not None:
                killed = found.si_code != os.CLD_EXITED
                self._exit_code = -found.si_status if killed else found.si_status


def spawn(argv: Sequence[str], env: Mapping[str, str], *, secret: bytes, output: Path) -> Process:
    """Start a process in a session of its own. `secret`: its stdin; `output`: file for its stdout and stderr.

    Raises:
        OSError: it cannot be started.
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
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            dict(env),
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT],
        )
    finally:
        os.close(reading)
    # Our own child keeps its id until we collect its exit code.
    handle = os.pidfd_open(pid)
    return Process(ProcessIdentity(pid, _start_time(pid) or 0, _boot_id()), handle)


def find_process(identity: ProcessIdentity) -> Process | None:
    """Return the process of this identity; None if it has ended."""
    if identity.boot != _boot_id():
        return None
    return _open(identity.pid, identity.started)


def find_by_argument(argument: str) -> Process | None:
    """Return a living process of this user that has `argument` among its arguments; None if there is none."""
    own = os.getuid()
    for entry in _PROC.iterdir():
        with contextlib.suppress(OSError):
            if not entry.name.isdecimal() or entry.stat().st_uid != own:
                continue
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if argument in [part.decode(errors="replace") for part in arguments]:
                pid = int(entry.name)
                return _open(pid, _start_time(pid))
    return None


def _open(pid: int, started: int | None) -> Process | None:
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    if started is None or _start_time(pid) != started or _has_ended(handle):
        os.close(handle)
        return None
    return Process(ProcessIdentity(pid, started, _boot_id()), handle)


def _start_time(pid: int) -> int | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return int(text.rpartition(_AFTER_NAME)[2].split()[_START_FIELD])


def _boot_id() -> str:
    return _BOOT.read_text().strip()


def _has_ended(handle: int) -> bool:
    """Whether the process of a pidfd has ended; poll, since select is limited to descriptors up to 1,023."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))
