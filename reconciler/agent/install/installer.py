"""
Hummingbot in a virtual environment of its own, made by uv.

Rule 1: an environment is there whole or not at all: it is made beside its place, tried, and renamed into it.
Rule 2: a folder without our marker is not ours: nothing in it is ever replaced or removed.
Rule 3: what was downloaded or compiled stays in uv's cache, so that a try that was killed is not for nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from reconciler.agent.install.environment import (
    MARKER,
    Marker,
    Probe,
    default_folder,
    digest,
    hummingbot_python,
    interpreter_in,
    probe,
    read_marker,
)
from reconciler.agent.install.uv import InstallError, Tell, Uv, find_uv
from reconciler.catalog.loading import HUMMINGBOT_VERSION

__all__ = ["InstallError", "InstallRequest", "Installation", "default_folder", "hummingbot_python", "install"]

NEEDED_BYTES = 2_500_000_000
"""For one installation: 834 MB of environment, as much again in uv's cache where that is another disk's or copies,
and what compiling takes meanwhile."""

LIMIT_S = 3600.0
"""For uv: it takes 3.5 min on two cores; a small machine on a slow line may need ten times that."""

OVERRIDES = 'pandas-ta>=0.4.71b0 ; python_version >= "3.12"\n'
"""hummingbot 20260922 asks for a pandas-ta that no Python before 3.12 can have, and imports it nowhere."""


class InstallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to install where. `wheel_cache` None: uv's own. `python`: an interpreter to build on.

    `force`: also over an environment of ours that is there. `limit_s`: for each run of uv.
    """

    into: Path
    version: str = HUMMINGBOT_VERSION
    python: str = sys.executable
    wheel_cache: Path | None = None
    force: bool = False
    limit_s: float = LIMIT_S
    needed_bytes: int = NEEDED_BYTES


class Installation(msgspec.Struct, frozen=True):
    """An environment that is ready. `fresh`: it was made now."""

    python: Path
    marker: Marker
    fresh: bool


async def install(order: InstallRequest, tell: Tell) -> Installation:
    """Make the environment, unless it is there already and as it was made.

    Raises:
        InstallError: it cannot be made, with its cause; what was there before is as it was.
    """
    place = order.into.absolute()
    with _alone(place):
        _tidy(place)
        found = _in_the_way(place, order)
        if found is not None:
            return Installation(interpreter_in(place), found, fresh=False)
        check_space(place, order.needed_bytes)
        log = _beside(place, "log")
        log.unlink(missing_ok=True)
        uv = Uv(command=find_uv(), log=log, cache=order.wheel_cache, limit_s=order.limit_s, tell=tell)
        return Installation(interpreter_in(place), await _make(place, uv, order), fresh=True)


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold the place against another install; the lock ends with the process, however that dies."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(_beside(place, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InstallError(
            f"{place.parent}: cannot write there: {error.strerror}",
            fix="name a folder that is yours with --into",
        ) from error
    try:
        _lock(handle, place)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, place: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InstallError(f"{place}: another install is at work there", fix="wait until it ends") from None


def _beside(place: Path, what: str) -> Path:
    return place.with_name(f"{place.name}.{what}")


def _tidy(place: Path) -> None:
    """Finish or undo what an install left that was killed."""
    before = _beside(place, "before")
    if before.exists() and not place.exists():
        before.rename(place)
    for leftover in (before, _beside(place, "partial")):
        shutil.rmtree(leftover, ignore_errors=True)


def _in_the_way(place: Path, order: InstallRequest) -> Marker | None:
    """What is there already if it is what was asked for; None if the place is free or to be made anew.

    Raises:
        InstallError: something else is there.
    """
    found = read_marker(place)
    if found is None:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InstallError(
                f"{place}: something is there that we did not make", fix="name another folder with --into"
            )
        return None
    if order.force:
        return None
    if found.version != order.version:
        raise InstallError(
            f"{place} has Hummingbot {found.version}, not {order.version}",
            fix="name another folder with --into, or replace it with --force",
        )
    if digest(place) != found.digest:
        raise InstallError(
            f"{place}: packages were changed since it was made", fix="make it anew with --force"
        )
    return found


def check_space(place: Path, needed_bytes: int) -> None:
    """See that the disk has room.

    Raises:
        InstallError: it has not; with both numbers.
    """
    free = shutil.disk_usage(place.parent).free
    if free < needed_bytes:
        raise InstallError(
            f"{place.parent}: {free / 1e9:.1f} GB are free, and {needed_bytes / 1e9:.1f} GB are needed",
            fix="free some disk space, or name a folder on another disk with --into",
        )


async def _make(place: Path, uv: Uv, order: InstallRequest) -> Marker:
    partial = _beside(place, "partial")
    try:
        await _fill(partial, uv, order)
        uv.tell("trying to import it")
        marker = _marker(partial, order, await probe(interpreter_in(partial)))
        _put(partial, place, marker)
    except OSError as error:
        raise InstallError(f"{error.filename or place}: {error.strerror}") from error
    finally:
        _tidy(place)
    return marker


def _put(partial: Path, place: Path, marker: Marker) -> None:
    (partial / MARKER).write_bytes(msgspec.json.format(msgspec.json.encode(marker)))
    if place.exists():
        place.rename(_beside(place, "before"))
    partial.rename(place)


async def _fill(partial: Path, uv: Uv, order: InstallRequest) -> None:
    """Make an environment that can be moved, and put Hummingbot into it."""
    await uv.run("venv", "--relocatable", "--no-project", "--python", order.python, str(partial))
    overrides = partial / "overrides.txt"
    overrides.write_text(OVERRIDES)
    wanted = ("--override", str(overrides), f"hummingbot=={order.version}")
    await uv.run("pip", "install", "--python", str(interpreter_in(partial)), *wanted)


def _marker(partial: Path, order: InstallRequest, found: Probe) -> Marker:
    """Describe what was made.

    Raises:
        InstallError: Hummingbot cannot be imported from it, or is another one.
    """
    if found.error or found.version != order.version:
        what = found.error or f"the version is {found.version}"
        raise InstallError(
            f"Hummingbot {order.version} is installed but cannot be used: {what}",
            fix="name another interpreter with --python, such as python3.11",
        )
    return Marker(
        version=order.version,
        python=found.python,
        interpreter=str((partial / "bin" / "python").resolve()),
        digest=digest(partial),
    )
