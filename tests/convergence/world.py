"""A fleet in one process: a broker, an agent that can be killed, a reconciler that can be killed, and Git.

Everything is the product's own (memory transport, agent, simulated runner, live, reconcile, SQLite store); only
the clock jumps. `Counting` watches what really happens to bots.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.agent.journal import Journal
from reconciler.agent.misbehave import Faults
from reconciler.agent.records import Strategy
from reconciler.agent.serving import Agent
from reconciler.agent.serving import Parts as AgentParts
from reconciler.agent.settings import AgentSettings
from reconciler.agent.simulated import SimulatedRunner
from reconciler.agent.telling import CAPABILITIES, Voice
from reconciler.asking import Identity
from reconciler.catalog.packaged import load_catalog
from reconciler.live import Live
from reconciler.model.change import Plan
from reconciler.model.report import SyncReport
from reconciler.model.spec import Key, StrategySpec
from reconciler.model.state import Desired
from reconciler.notify.notifier import Notifier
from reconciler.plan.planner import PlanOptions
from reconciler.protocol.topics import Topics
from reconciler.reconcile import Parts, plan_of, reconcile
from reconciler.settings import NotificationSettings, SyncSettings, TargetSettings
from reconciler.store.sqlite import SqliteStore, open_store
from reconciler.transport.base import Client, Will
from reconciler.transport.memory import Hub, MemoryTransport

ROOT = "hummingbot"
SYNC = SyncSettings(
    max_deletes=99, max_restarts=99, max_change_fraction=1.0, step_timeout_s=2.0, retries=2, concurrency=4
)
WINDOW_S = 5.0


class Counting(SimulatedRunner):
    """A simulated runner that counts: `starts` that took effect, and `doubled` ones of a bot that was up."""

    def __init__(self, world: World) -> None:
        super().__init__(start_delay_s=0.3, rng=world.chance)
        self._world = world
        self.up: set[str] = set()

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        if strategy.name in self.up:
            self._world.doubled.append(strategy.name)
        self.up.add(strategy.name)
        self._world.starts[strategy.name] += 1
        try:
            await super().start(strategy, paused=paused)
        except BaseException:
            self.up.discard(strategy.name)
            raise

    async def stop(self, name: str) -> None:
        await super().stop(name)
        self.up.discard(name)

    async def delete(self, name: str) -> None:
        self._world.deleted.append(name)
        await super().delete(name)
        self.up.discard(name)

    def stop_by_hand(self, name: str) -> None:
        super().stop_by_hand(name)
        self.up.discard(name)


class World:
    """The parts and what may happen to them. `basic`: the reconciler treats the agent as a Basic peer."""

    def __init__(self, folder: Path, *, basic: bool) -> None:
        self.folder = folder
        self.basic = basic
        self.hub = Hub()
        self.chance = random.Random(7)
        self.faults = Faults()
        self.starts: Counter[str] = Counter()
        self.doubled: list[str] = []
        self.deleted: list[str] = []
        self.specs: dict[Key, StrategySpec] = {}
        self.commits = 0
        self.agent: Agent | None = None
        self.runner: Counting | None = None
        self._agent_task: asyncio.Task[None] | None = None
        self._agent_link: MemoryTransport | None = None
        self._journal: Journal | None = None
        self.link: MemoryTransport | None = None
        self.live: Live | None = None
        self.store: SqliteStore | None = None

    # -- the agent

    async def start_agent(self) -> None:
        if self.agent is not None:
            return
        settings = AgentSettings(heartbeat_s=2.0, faults=self.faults, performance_interval_s=50.0)
        session = secrets.token_hex(8)
        voice = Voice(
            agent="agent", session=session, capabilities=CAPABILITIES, strategy_types=[], heartbeat_s=2.0
        )
        will = Will(Topics(ROOT).presence("agent"), voice.farewell(), retain=True)
        self._agent_link = MemoryTransport(self.hub, Client(f"agent-{session}", will))
        self._journal = Journal(self.folder / "agent")
        self.runner = Counting(self)
        parts = AgentParts(
            catalog=load_catalog(),
            journal=self._journal,
            runner=self.runner,
            transport=self._agent_link,
            voice=voice,
            rng=self.chance,
        )
        self.agent = Agent(settings, parts)
        self._agent_task = asyncio.ensure_future(self.agent.run(asyncio.Event(), set()))
        await asyncio.sleep(0.5)

    async def kill_agent(self) -> None:
        """As kill -9 does: no farewell; the broker publishes its will, the bots of the process die with it."""
        if self._agent_task is None or self._agent_link is None or self._journal is None:
            return
        self._agent_link.drop("killed")
        self._agent_task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._agent_task
        self._journal.close()
        self.agent = self.runner = None
        self._agent_task = None

    # -- the reconciler

    async def start_reconciler(self) -> None:
        if self.live is not None:
            return
        self.store = open_store(str(self.folder / "state.db"))
        profile = "basic" if self.basic else "auto"
        self.link = MemoryTransport(self.hub, Client(f"ctl-{secrets.token_hex(4)}"))
        identity = Identity(controller="ctl", owner="us", epoch=self.store.epoch)
        target = TargetSettings(root=ROOT, profile=profile, basic_window_s=WINDOW_S)
        self.live = Live(self.link, {"default": target}, identity)
        await self.live.open()

    async def kill_reconciler(self) -> None:
        """As kill -9 does: what was not flushed is lost, a lock is free again."""
        if self.live is None or self.link is None or self.store is None:
            return
        self.link.drop("killed")
        self.store.abandon()
        self.live = None

    async def lose_store(self) -> None:
        await self.kill_reconciler()
        for file in self.folder.glob("state.db*"):
            file.unlink()

    # -- passes

    def desired(self) -> Desired:
        return Desired(f"{self.commits:040x}", "main", dict(self.specs))

    def parts(self) -> Parts:
        assert self.live is not None
        assert self.store is not None
        quiet = NotificationSettings(channels=())
        return Parts(
            live=self.live,
            store=self.store,
            catalog=load_catalog(),
            notifier=Notifier(self.live.notify, self.store, quiet, default_target="default"),
            sync=SYNC,
            stop=asyncio.Event(),
        )

    def options(self) -> PlanOptions:
        return PlanOptions(owner="us", now_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    async def make_pass(self) -> SyncReport:
        await self.start_reconciler()
        assert self.live is not None
        await self.live.settle(WINDOW_S + 1.0)
        self.live.tick()
        return await reconcile(self.parts(), self.desired(), self.options())

    def plan(self) -> Plan:
        return plan_of(self.parts(), self.desired(), self.options())

    async def killed_pass(self, after_s: float) -> None:
        """A pass that dies with its process somewhere in the middle."""
        task = asyncio.ensure_future(self.make_pass())
        await asyncio.sleep(after_s)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
        await self.kill_reconciler()

    # -- what is true in the end

    def running(self) -> dict[str, Any]:
        assert self.agent is not None
        return dict(self.agent.desk.strategies)

    async def close(self) -> None:
        await self.kill_reconciler()
        await self.kill_agent()
