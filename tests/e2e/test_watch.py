"""Changes of a working tree, and of the refs of a repository here, wake up what waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reconciler.settings.model import SourceSettings
from reconciler.sources.watch import watch_source, watched_folders
from tests.support.repositories import Repository

PATIENCE_S = 10.0


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repository")
    repository.commit({"strategies/a.yaml": "a"})
    return repository


def settings(repository: Repository, **more) -> SourceSettings:
    return SourceSettings(repository=str(repository.folder), **more)


@asynccontextmanager
async def watching(source: SourceSettings) -> AsyncIterator[asyncio.Queue[None]]:
    """Wake-ups as they come."""
    seen: asyncio.Queue[None] = asyncio.Queue()

    async def watch() -> None:
        async for _ in watch_source(source):
            seen.put_nowait(None)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def wakes(seen: asyncio.Queue[None], change: Callable[[int], object]) -> bool:
    """Whether `change` is noticed; made again until it is, since a watch takes a moment to begin."""
    for attempt in range(50):
        await asyncio.to_thread(change, attempt)
        try:
            await asyncio.wait_for(seen.get(), PATIENCE_S / 50)
        except TimeoutError:
            continue
        return True
    return False


async def test_a_saved_file_wakes(repository) -> None:
    async with watching(settings(repository, worktree=True)) as seen:
        assert await wakes(seen, lambda n: repository.write({"strategies/a.yaml": str(n)}))


async def test_a_removed_folder_wakes(repository) -> None:
    repository.write({"strategies/eu/b.yaml": "b"})
    eu, away = repository.folder / "strategies" / "eu", repository.folder / "away"

    def move(attempt: int) -> None:
        there, here = (eu, away) if attempt % 2 == 0 else (away, eu)
        there.rename(here)

    async with watching(settings(repository, worktree=True)) as seen:
        assert await wakes(seen, move)


async def test_a_commit_wakes(repository) -> None:
    async with watching(settings(repository)) as seen:
        assert await wakes(seen, lambda n: repository.commit({"strategies/a.yaml": str(n)}))


async def test_several_changes_in_a_moment_wake_once(repository) -> None:
    async with watching(settings(repository, worktree=True)) as seen:
        assert await wakes(seen, lambda n: repository.write({"strategies/a.yaml": str(n)}))
        await asyncio.sleep(0.5)
        while not seen.empty():
            seen.get_nowait()
        repository.write({f"strategies/{n}.yaml": "x" for n in range(50)})
        await asyncio.wait_for(seen.get(), PATIENCE_S)
        await asyncio.sleep(0.5)

        assert seen.qsize() <= 1


async def test_what_editors_write_on_the_way_wakes_nobody(repository) -> None:
    async with watching(settings(repository, worktree=True)) as seen:
        assert await wakes(seen, lambda n: repository.write({"strategies/a.yaml": str(n)}))
        await asyncio.sleep(0.5)
        while not seen.empty():
            seen.get_nowait()
        repository.write({"strategies/.a.yaml.swp": "x", "strategies/a.yaml~": "x"})
        await asyncio.sleep(0.5)

        assert seen.empty()


@pytest.mark.parametrize("url", ["https://example.com/x.git", "git@example.com:x.git"])
async def test_an_address_cannot_be_watched(url) -> None:
    assert [event async for event in watch_source(SourceSettings(repository=url))] == []


async def test_what_is_not_there_cannot_be_watched(tmp_path) -> None:
    for worktree in (True, False):
        source = SourceSettings(repository=str(tmp_path), worktree=worktree)
        assert [event async for event in watch_source(source)] == []


def test_a_second_working_tree_is_watched_where_its_refs_are(repository, tmp_path) -> None:
    repository.git("worktree", "add", "-q", str(tmp_path / "second"), "-b", "side")

    folders = watched_folders(SourceSettings(repository=str(tmp_path / "second"), ref="side"))

    assert folders == [repository.folder / ".git" / "refs"]
