"""Waking up when files of the source change: working trees, and the refs of a repository on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from reconciler.settings import SourceSettings
from reconciler.sources.git import is_remote

SETTLE_MS = 50
"""An editor writes a file in several steps, git a ref in three."""

STEP_MS = 10


async def watch_source(settings: SourceSettings) -> AsyncIterator[None]:
    """Yield after each change worth a look; ends at once for a source that only polling can see."""
    folders = _folders(settings)
    if not folders:
        return
    from watchfiles import awatch

    async for _ in awatch(
        *folders, watch_filter=_is_worth_a_look, debounce=SETTLE_MS, step=STEP_MS, recursive=True
    ):
        yield


def _folders(settings: SourceSettings) -> list[Path]:
    if settings.worktree:
        folder = Path(settings.repository) / settings.path
        return [folder] if folder.is_dir() else []
    if is_remote(settings.repository):
        return []
    root = Path(settings.repository)
    git = root / ".git" if (root / ".git").is_dir() else root
    return [git] if (git / "HEAD").is_file() else []


def _is_worth_a_look(change: object, path: str) -> bool:
    """Strategy files, refs and packed refs; not the objects and locks that git writes on the way."""
    del change
    name = Path(path).name
    if name.endswith((".yaml", ".yml")):
        return True
    return ("/refs/" in path and not name.endswith(".lock")) or name in {"packed-refs", "HEAD"}
