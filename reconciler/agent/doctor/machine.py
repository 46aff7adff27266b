"""Gathers what this machine is: interpreter, disk, memory, clock. Reads only; every wait has an end."""

from __future__ import annotations

import asyncio
import ctypes
import http.client
import shutil
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.agent.doctor.facts import Clock, Disk, Environment, Memory
from reconciler.agent.doctor.holdings import strategies
from reconciler.agent.doctor.subject import Subject
from reconciler.agent.environment import default_folder, digest, read_marker
from reconciler.agent.probe import Probe, probe
from reconciler.catalog.packaged import versions
from reconciler.model.spec import Wish

TIME_S = 10.0
"""For the answer of a clock elsewhere."""

_MEMINFO = Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
"""Of the container that we are in; on a machine itself they are not there (cgroups(7))."""


async def environment(subject: Subject) -> Environment:
    """Ask the interpreter that bots would get."""
    settings = subject.settings
    python = subject.python
    folder = default_folder(subject.state, settings.hummingbot_version)
    marker = read_marker(folder)
    own = python is not None and subject.options.python is None
    return Environment(
        expected=folder,
        wanted=settings.hummingbot_version,
        known=tuple(sorted({*versions(), *(versions(settings.schemas) if settings.schemas else ())})),
        python=python,
        chosen=subject.options.python is not None,
        changed=own and marker is not None and digest(folder) != marker.digest,
        probe=await probe(python) if python is not None else Probe(),
    )


async def disk(subject: Subject) -> Disk:
    """See what is free where the state folder is, or will be."""
    place = nearest(subject.state)
    usage = shutil.disk_usage(place)
    return Disk(
        place=place,
        free=usage.free,
        total=usage.total,
        installed=subject.python is not None,
        least=subject.options.least_free,
    )


def nearest(folder: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    place = folder.absolute()
    return next(path for path in (place, *place.parents) if path.exists())


async def memory(subject: Subject) -> Memory:
    """See what is free, here and within the container's limit."""
    found = strategies(subject.state)
    wanted = sum(strategy.wish is not Wish.STOPPED for strategy in found.strategies)
    return Memory(available=min(_free(), _left_to_container()), wanted=0 if found.holder else wanted)


def _free() -> int:
    for line in _MEMINFO.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    raise AssertionError("every Linux since 3.14 tells MemAvailable (proc_meminfo(5))")


def _left_to_container() -> int:
    try:
        return int(_LIMIT.read_text()) - int(_USED.read_text())
    except (OSError, ValueError):  # no container, or `max`
        return 1 << 62


async def clock(subject: Subject) -> Clock:
    """Ask the kernel, and who was named, whether the clock is right."""
    kept, year = kept_by_ntp(), datetime.now(UTC).year
    if not subject.time_from:
        return Clock(kept=kept, year=year)
    source = urlsplit(subject.time_from).hostname or subject.time_from
    try:
        async with asyncio.timeout(2 * TIME_S):
            offset_s = await asyncio.to_thread(ahead_of, subject.time_from)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Clock(kept=kept, year=year, source=source, error=str(error) or type(error).__name__)
    return Clock(kept=kept, year=year, source=source, offset_s=offset_s)


def ahead_of(url: str, limit_s: float = TIME_S) -> float:
    """How many seconds our clock is ahead of the one that answers at `url`; HTTP tells whole seconds.

    Raises:
        OSError, HTTPException, ValueError: it did not answer, or not with a date.
    """
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds or not parts.hostname:
        raise ValueError("not an http: or https: address")
    connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=limit_s)
    try:
        before = time.time()
        connection.request("HEAD", parts.path or "/")
        told = connection.getresponse().getheader("Date")
        after = time.time()
    finally:
        connection.close()
    if told is None:
        raise ValueError("its answer has no Date")
    return (before + after) / 2 - (parsedate_to_datetime(told).timestamp() + 0.5)


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` (adjtimex(2)); the kernel's own is shorter than this one."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


_UNSYNCHRONISED = 0x40
"""STA_UNSYNC (adjtimex(2))."""


def kept_by_ntp() -> bool | None:
    """Whether the kernel says that something keeps its clock right; None if it does not say."""
    asked = _Timex()  # modes 0: only asks
    try:
        answer: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (AttributeError, OSError):
        return None
    return None if answer < 0 else not asked.status & _UNSYNCHRONISED
