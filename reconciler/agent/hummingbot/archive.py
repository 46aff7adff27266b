"""
What is left of a bot, packed before it is removed: logs, trades database, config. Touches files.

Rule 1: nothing is removed before its archive is whole and on the disk.
Rule 2: keystores and passwords are in no archive.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

KEPT = (
    "bot.json",
    "output.log",
    "root/logs",
    "root/data",
    "root/conf/strategies",
    "root/conf/controllers",
    "root/conf/scripts",
)
"""Below a bot's folder. Connectors' keys and the password's check stand elsewhere below root/conf."""


def pack(folder: Path, archives: Path, name: str, now: datetime) -> Path:
    """Archive what is kept of a bot's folder; the archive's name says which strategy and when.

    Raises:
        OSError: it cannot be written; then there is no archive and nothing was removed.
    """
    archives.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = _free_name(archives, f"{name}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    unfinished = target.with_suffix(".part")
    try:
        with unfinished.open("wb") as opened:
            unfinished.chmod(0o600)
            with tarfile.open(fileobj=opened, mode="w:gz") as packed:
                for path in _existing(folder):
                    packed.add(path, f"{name}/{path.relative_to(folder)}")
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return target


def pack_and_remove(folder: Path, archives: Path, name: str) -> Path | None:
    """Archive a bot's folder, then remove it; None if there is nothing.

    Raises:
        OSError: it could not be archived, or not be removed whole.
    """
    if not folder.exists():
        return None
    packed = pack(folder, archives, name, datetime.now(UTC))
    shutil.rmtree(folder)
    return packed


def _existing(folder: Path) -> Iterator[Path]:
    return (path for path in (folder / kept for kept in KEPT) if path.exists())


def _free_name(archives: Path, stem: str) -> Path:
    """A name that no archive has: one strategy may be deleted twice in a second."""
    number = 1
    while (found := archives / f"{stem}{f'-{number}' if number > 1 else ''}.tar.gz").exists():
        number += 1
    return found
