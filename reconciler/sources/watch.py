"""Watches what a source is read from: working trees, and the refs of a repository on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.git import folder_of
from reconciler.sources.git_source import find_repository

SETTLE_MS, STEP_MS = 50, 10
"""An editor writes a file in several steps: after the first it may take so long, while one follows within a step."""

REF_STEP_MS = 3
"""A ref is written next to its place and renamed: what is there is whole. A step costs 15 µs of a core."""


async def watch_source(settings: SourceSettings) -> AsyncIterator[None]:
    """Yield after each change worth a look; ends at once for a source that only polling can see."""
    folders = watched_folders(settings)
    if not folders:
        return
    from watchfiles import awatch

    step_ms = STEP_MS if settings.worktree else REF_STEP_MS
    async for _ in awatch(*folders, watch_filter=_is_worth_a_look, debounce=SETTLE_MS, step=step_ms):
        yield


def watched_folders(settings: SourceSettings) -> list[Path]:
    """Where a change shows; empty if nowhere on this machine."""
    if settings.worktree:
        folder = Path(settings.repository, settings.path)
        return [folder] if folder.is_dir() else []
    place = folder_of(settings.repository)
    if place is None:
        return []
    try:
        git_dir, _ = find_repository(place)
    except SourceError:
        return []
    return [place for place in (_shared(git_dir) / "refs", _shared(git_dir) / "reftable") if place.is_dir()]


def _shared(git_dir: Path) -> Path:
    """Where the refs are: a second working tree of a repository has those of the first."""
    pointer = git_dir / "commondir"
    return (git_dir / pointer.read_text().strip()).resolve() if pointer.is_file() else git_dir


def _is_worth_a_look(change: object, path: str) -> bool:
    """All but what editors and git write on the way."""
    del change
    name = Path(path).name
    return not name.startswith(".") and not name.endswith((".lock", "~", ".swp", ".tmp"))
