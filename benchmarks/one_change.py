"""Measures 2b and 3: a running service's tick with nothing new, and one commit of N to its confirmation.

Usage: python -m benchmarks.one_change [N]    (default 10,000; the remote is a local bare repository)
The service polls its remote; the time counts from the poll that finds the commit. The floor is the same
fetch and the same round trip to the agent without us: `git fetch` plus one publish and its answer.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.fleet import agent, file_text, git, make_repository, mosquitto, workspace
from reconciler.model.spec import Key
from reconciler.reconcile import reconcile
from reconciler.service import Service
from reconciler.session import Session, open_session
from reconciler.settings import BrokerSettings, Settings, SourceSettings, StoreSettings, SyncSettings

ROUNDS = 15
CHANGE_GOAL_S = 0.030
TICK_GOAL_S = 0.003


def push_change(work: Path, number: int, spread: int) -> None:
    name = f"mm-{number:05}.yaml"
    (work / "strategies" / name).write_text(file_text(number, spread=spread))
    git(work, "commit", "-q", "-a", "-m", f"spread {spread}")
    git(work, "push", "-q", "origin", "main")


async def confirmed(session: Session, key: Key, wanted: Decimal) -> None:
    while True:
        live = session.live.strategy(key)
        if live is not None and (live.config or {}).get("bid_spread") == wanted:
            return
        await asyncio.sleep(0.0005)


async def rounds(session: Session, service: Service, work: Path, count: int) -> list[float]:
    took = []
    first = 2000 if session.settings.source.repository.startswith("file:") else 3000
    for round_ in range(ROUNDS):
        number = round_ * (count // ROUNDS)
        spread = first + round_
        await asyncio.to_thread(push_change, work, number, spread)
        started = time.perf_counter()
        await service.look_at_source()
        key = Key("default", f"mm-{number:05}")
        await asyncio.wait_for(confirmed(session, key, Decimal(spread) / 10_000), 30)
        took.append(time.perf_counter() - started)
        await asyncio.sleep(0.2)
    return took


async def ticks(service: Service) -> list[float]:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await service.look_at_source()
        took.append(time.perf_counter() - started)
    return took


async def measure(work: Path, repository: str, port: int, count: int) -> tuple[list[float], list[float]]:
    stop = asyncio.Event()
    settings = Settings(
        source=SourceSettings(repository=repository, interval_s=3600.0),
        broker=BrokerSettings(url=f"mqtt://127.0.0.1:{port}"),
        sync=SyncSettings(max_change_fraction=1.0),
        store=StoreSettings(url=str(work.parent / "state" / "state.db")),
    )
    async with open_session(settings, stop=stop) as session:
        await session.live.settle(30.0)
        await reconcile(session.parts, session.desired_of(session.loader.load()), session.options())
        service = Service(session)
        running = asyncio.create_task(service.run())
        await asyncio.sleep(2.0)
        changes = await rounds(session, service, work, count)
        idle = await ticks(service)
        stop.set()
        await running
    return changes, idle


def fetch_floor_s(work: Path, bare: Path) -> float:
    """A `git fetch` that finds nothing, as a process: the least that a poll of a remote can cost."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        git(work, "fetch", "-q", str(bare), "main")
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with workspace() as folder, mosquitto() as port:
        work = make_repository(folder / "work", count)
        bare = folder / "remote.git"
        git(folder, "clone", "-q", "--bare", str(work), str(bare))
        git(work, "remote", "add", "origin", str(bare))
        with agent(port, folder / "agent"):
            remote, _ = asyncio.run(measure(work, f"file://{bare}", port, count))
            local, idle = asyncio.run(measure(work, str(work), port, count))
        floor = fetch_floor_s(work, bare)
    for name, took in (("remote (file://)", remote), ("local repository", local)):
        median = statistics.median(took)
        print(
            f"commit to confirmed, {name:<18} {median * 1e3:7.1f} ms   {median / floor:5.2f} x one git fetch"
        )
    print(f"goal: at most {CHANGE_GOAL_S * 1e3:.0f} ms")
    print(f"tick with nothing new, local repository     {statistics.median(idle) * 1e3:7.1f} ms")
    print(f"goal: at most {TICK_GOAL_S * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
