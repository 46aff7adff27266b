"""Measures 2b and 3: a running service's tick with nothing new, and one commit of N to its confirmation.

Usage: python -m benchmarks.one_change [N]    (default 10,000)
Three repositories of the same files: one named by its path and one by a `file://` address, both of this machine and
read in place; and one reached by ssh, whose other end is this machine, too, so that it is fetched as any remote is.
The time begins before the branch moves. Here the service is woken by that, and nobody calls it; a remote is polled
at once. The floor of the remote is the same `git fetch` alone, bringing such a commit to a clone of its own.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from benchmarks.fleet import agent, file_text, git, make_repository, mosquitto, workspace
from reconciler.app import App, make_service, open_app
from reconciler.desired import desired_of
from reconciler.model.spec import Key
from reconciler.service import Service
from reconciler.settings.model import BrokerSettings, Settings, SourceSettings, StoreSettings, SyncSettings

ROUNDS = 15
SETTLE_S = 0.2
CHANGE_GOAL_S = 0.030
TICK_GOAL_S = 0.003

SSH = '#!/bin/sh\nfor command; do :; done\nexec sh -c "$command"\n'
"""What ssh would do on another machine, done on this one: its last argument is the command to run there."""


class Place(NamedTuple):
    """Where the service finds the fleet: the repository itself, and the address that it is given."""

    name: str
    repository: Path
    address: str
    polled: bool


class Author:
    """Somebody who changes one strategy after the other."""

    def __init__(self, work: Path, count: int) -> None:
        self._work = work
        self._step = count // (4 * ROUNDS)
        self._made = 0

    def prepare(self, place: Place) -> tuple[Key, Decimal, str]:
        """Bring the next commit to `place` without moving its branch; what it changes, to which spread, its id."""
        self._made += 1
        number, spread = self._made * self._step, 2000 + self._made
        name = f"mm-{number:05}.yaml"
        (self._work / "strategies" / name).write_text(file_text(number, spread=spread))
        git(self._work, "commit", "-q", "-a", "-m", f"spread {spread}")
        git(self._work, "push", "-q", str(place.repository), "HEAD:refs/coming/next")
        key = Key("default", name.removesuffix(".yaml"))
        return key, Decimal(spread) / 10_000, git(self._work, "rev-parse", "HEAD").strip()


async def confirmed(app: App, key: Key, wanted: Decimal) -> None:
    while True:
        live = app.fleet.strategy(key)
        if live is not None and (live.config or {}).get("bid_spread") == wanted:
            return
        await asyncio.sleep(0.0005)


async def rounds(app: App, service: Service, place: Place, author: Author) -> list[float]:
    took = []
    for _ in range(ROUNDS):
        key, wanted, commit = await asyncio.to_thread(author.prepare, place)
        await asyncio.sleep(SETTLE_S)
        started = time.perf_counter()
        await asyncio.to_thread(git, place.repository, "update-ref", "refs/heads/main", commit)
        if place.polled:
            await service.look_at_source()
        await asyncio.wait_for(confirmed(app, key, wanted), 30)
        took.append(time.perf_counter() - started)
    return took


async def ticks(service: Service) -> list[float]:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await service.look_at_source()
        took.append(time.perf_counter() - started)
    return took


async def measure(place: Place, author: Author, port: int, state: Path) -> tuple[list[float], list[float]]:
    stop = asyncio.Event()
    settings = Settings(
        source=SourceSettings(repository=place.address, interval_s=3600.0),
        broker=BrokerSettings(url=f"mqtt://127.0.0.1:{port}"),
        sync=SyncSettings(max_change_fraction=1.0),
        store=StoreSettings(url=str(state / "state.db")),
    )
    async with open_app(settings, stop=stop) as app:
        await app.fleet.settle(30.0)
        desired = desired_of(app.loader.load(), settings)
        await app.reconciler.run(desired, app.reconciler.options(adopt=True))
        service = make_service(app)
        running = asyncio.create_task(service.run())
        await asyncio.sleep(2.0)
        changes = await rounds(app, service, place, author)
        idle = await ticks(service)
        stop.set()
        await running
    return changes, idle


def fetch_floor_s(place: Place, author: Author, folder: Path) -> float:
    """A `git fetch` that brings one commit, as a process: the least that following a remote can cost."""
    clone = folder / "floor.git"
    git(folder, "clone", "-q", "--bare", place.address, str(clone))
    took = []
    for _ in range(ROUNDS):
        _, _, commit = author.prepare(place)
        git(place.repository, "update-ref", "refs/heads/main", commit)
        started = time.perf_counter()
        git(clone, "fetch", "-q", place.address, "+refs/heads/main:refs/heads/main")
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def reach_this_machine_by_ssh(folder: Path) -> None:
    program = folder / "ssh-to-here"
    program.write_text(SSH)
    program.chmod(0o755)
    os.environ |= {"GIT_SSH_COMMAND": str(program), "GIT_SSH_VARIANT": "simple"}


def places(folder: Path, work: Path) -> list[Place]:
    """A bare copy of `work` for each way to name one."""
    found = []
    for name in ("path", "file", "ssh"):
        bare = folder / f"{name}.git"
        git(folder, "clone", "-q", "--bare", str(work), str(bare))
        address = {"path": str(bare), "file": f"file://{bare}", "ssh": f"ssh://here{bare}"}[name]
        found.append(Place(name, bare, address, polled=name == "ssh"))
    return found


WORDS = {
    "path": "here, by its path: woken",
    "file": "here, by a file:// address: woken",
    "ssh": "a remote by ssh: polled, fetched",
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with workspace() as folder, mosquitto() as port:
        reach_this_machine_by_ssh(folder)
        work = make_repository(folder / "work", count)
        author = Author(work, count)
        found = places(folder, work)
        with agent(port, folder / "agent"):
            took = {each.name: asyncio.run(measure(each, author, port, folder / each.name)) for each in found}
        floor = fetch_floor_s(found[-1], author, folder)
    for name, (changes, idle) in took.items():
        print(
            f"{WORDS[name]:<34} commit to confirmed {statistics.median(changes) * 1e3:6.1f} ms"
            f" (worst {max(changes) * 1e3:6.1f})   nothing new {statistics.median(idle) * 1e3:5.1f} ms"
        )
    print(
        f"goals: {CHANGE_GOAL_S * 1e3:.0f} ms and {TICK_GOAL_S * 1e3:.0f} ms, of a repository on this machine"
    )
    print(f"the same `git fetch` alone: {floor * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
