"""
Installs Hummingbot into a virtual environment of its own, which uv makes.

Rule 1: an environment exists whole or not at all: it is made next to its place, probed, and renamed into it.
Rule 2: a folder without our marker is not ours: nothing in it is ever replaced or removed.
Rule 3: what was downloaded or compiled stays in uv's cache, so that an attempt after a killed one continues from there.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

import msgspec

from reconciler.agent.install.environment import MARKER, Marker, digest, interpreter_in, probe, read_marker
from reconciler.agent.install.uv import InstallError, Progress, Uv, find_uv
from reconciler.catalog.loading import HUMMINGBOT_VERSION
from reconciler.files import FileLock, FileLocked

NEEDED_BYTES = 2_500_000_000
"""For one installation: 834 MB of environment, as much again in uv's cache where that is another disk's or copies,
and what compiling takes meanwhile."""

LIMIT_S = 3600.0
"""For uv: it takes 3.5 min on two cores; a small machine on a slow line may need ten times that."""

OVERRIDES = 'pandas-ta>=0.4.71b0 ; python_version >= "3.12"\n'
"""hummingbot 20260922 asks for a pandas-ta that no Python before 3.12 can have, and imports it nowhere."""


class InstallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to install where. `wheel_cache` None: uv's own. `python`: an interpreter to build on.

    `force`: also over an environment of ours that exists. `limit_s`: for each run of uv.
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


async def install(request: InstallRequest, progress: Progress) -> Installation:
    """Make the environment, unless it exists already and is unchanged.

    Raises:
        InstallError: it cannot be made, with its cause; what existed before is unchanged.
    """
    place = request.into.absolute()
    with contextlib.closing(FileLock(_sibling(place, "lock"))) as lock:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except FileLocked:
            raise InstallError(
                f"{place}: another install is running there", fix="wait until it ends"
            ) from None
        except OSError as error:
            raise InstallError(
                f"{place.parent}: cannot write there: {error.strerror}",
                fix="name a folder that is yours with --into",
            ) from error
        _tidy(place)
        found = _existing(place, request)
        if found is not None:
            return Installation(interpreter_in(place), found, fresh=False)
        check_space(place, request.needed_bytes)
        log = _sibling(place, "log")
        log.unlink(missing_ok=True)
        uv = Uv(
            command=find_uv(),
            log=log,
            cache=request.wheel_cache,
            limit_s=request.limit_s,
            progress=progress,
        )
        return Installation(interpreter_in(place), await _make(place, uv, request), fresh=True)


def _sibling(place: Path, what: str) -> Path:
    return place.with_name(f"{place.name}.{what}")


def _tidy(place: Path) -> None:
    """Finish or undo what a killed install left."""
    before = _sibling(place, "before")
    if before.exists() and not place.exists():
        before.rename(place)
    for leftover in (before, _sibling(place, "partial")):
        shutil.rmtree(leftover, ignore_errors=True)


def _existing(place: Path, request: InstallRequest) -> Marker | None:
    """The environment that exists if it is the requested one; None if the place is free or its content is replaced.

    Raises:
        InstallError: something else exists there.
    """
    found = read_marker(place)
    if found is None:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InstallError(
                f"{place}: there is something that the installer did not make",
                fix="name another folder with --into",
            )
        return None
    if request.force:
        return None
    if found.version != request.version:
        raise InstallError(
            f"{place} has Hummingbot {found.version}, not {request.version}",
            fix="name another folder with --into, or replace it with --force",
        )
    if digest(place) != found.digest:
        raise InstallError(
            f"{place}: packages were changed since it was made", fix="make it again with --force"
        )
    return found


def check_space(place: Path, needed_bytes: int) -> None:
    """Check that the disk has room.

    Raises:
        InstallError: it has not; with both numbers.
    """
    free = shutil.disk_usage(place.parent).free
    if free < needed_bytes:
        raise InstallError(
            f"{place.parent}: {free / 1e9:.1f} GB are free, and {needed_bytes / 1e9:.1f} GB are needed",
            fix="free some disk space, or name a folder on another disk with --into",
        )


async def _make(place: Path, uv: Uv, request: InstallRequest) -> Marker:
    """Make an environment that can be moved, install Hummingbot into it, probe it, and rename it to its place.

    Raises:
        InstallError: uv failed, the disk is full, Hummingbot cannot be imported or is another version.
    """
    partial = _sibling(place, "partial")
    python = interpreter_in(partial)
    try:
        await uv.run("venv", "--relocatable", "--no-project", "--python", request.python, str(partial))
        overrides = partial / "overrides.txt"
        overrides.write_text(OVERRIDES)
        wanted = ("--override", str(overrides), f"hummingbot=={request.version}")
        await uv.run("pip", "install", "--python", str(python), *wanted)
        uv.progress("trying to import it")
        found = await probe(python)
        if found.error or found.version != request.version:
            what = found.error or f"the version is {found.version}"
            raise InstallError(
                f"Hummingbot {request.version} is installed but cannot be used: {what}",
                fix="name another interpreter with --python, such as python3.11",
            )
        marker = Marker(
            version=request.version,
            python=found.python,
            interpreter=str(python.resolve()),
            digest=digest(partial),
        )
        _put(partial, place, marker)
    except OSError as error:
        raise InstallError(f"{error.filename or place}: {error.strerror}") from error
    finally:
        _tidy(place)
    return marker


def _put(partial: Path, place: Path, marker: Marker) -> None:
    (partial / MARKER).write_bytes(msgspec.json.format(msgspec.json.encode(marker)))
    if place.exists():
        place.rename(_sibling(place, "before"))
    partial.rename(place)
