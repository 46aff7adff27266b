"""Room on the disk, and files that may not grow for ever. Touches files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from reconciler.errors import CommandRejected
from reconciler.protocol.codes import ErrorCode

_MIB = 1 << 20


def check_room(folder: Path, least_bytes: int) -> None:
    """See that a bot begun in `folder` has room for its logs and trades.

    Raises:
        CommandRejected: TIMEOUT-like, to be asked again: there is less than `least_bytes`.
    """
    free = shutil.disk_usage(folder).free
    if free < least_bytes:
        raise CommandRejected(
            ErrorCode.BUSY,
            f"the agent's disk has {free // _MIB} MiB left, less than the {least_bytes // _MIB} MiB that a start needs: "
            f"make room below {folder}, or lower --min-free-mib",
        )


def rotate(file: Path, largest_bytes: int, kept: int) -> bool:
    """Move what is in a file that has grown too large aside; whether it had.

    The file stays the same one, since a living process writes to it, at its end (O_APPEND). What it writes between
    copy and cut is lost: a few lines of what bots print beside their logs.
    """
    try:
        if file.stat().st_size <= largest_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept - 1, 0, -1):
        older = _numbered(file, number)
        if older.exists():
            older.rename(_numbered(file, number + 1))
    shutil.copyfile(file, _numbered(file, 1))
    os.truncate(file, 0)
    return True


def _numbered(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")


def prune(folder: Path, largest_bytes: int) -> list[Path]:
    """Remove the oldest files of a folder until the rest is within `largest_bytes`; the newest always stays."""
    files = sorted((path for path in folder.glob("*") if path.is_file()), key=_age_key)
    total = sum(path.stat().st_size for path in files)
    removed = []
    for path in files[:-1]:
        if total <= largest_bytes:
            break
        total -= path.stat().st_size
        path.unlink()
        removed.append(path)
    return removed


def _age_key(path: Path) -> float:
    return path.stat().st_mtime
