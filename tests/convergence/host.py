"""The machine with the bots: an agent that can be killed, stopped, cut off, and robbed of its state."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconciler.agent.agent import Agent, AgentComponents
from reconciler.agent.discovery import Discovery
from reconciler.agent.faults import Faults, FaultyRunner, FaultyTransport, FaultyValidator
from reconciler.agent.model import CAPABILITIES, AgentSession, Strategy
from reconciler.agent.settings import AgentSettings
from reconciler.catalog.loading import load_catalog
from reconciler.transport.base import ClientIdentity, Will
from tests.convergence.bots import Bots, Survivors, WatchedJournal
from tests.convergence.ledger import Ledger
from tests.convergence.wire import ROOT, TOPICS, Broker, Line, Weather

NAME = "agent"
HEARTBEAT_S = 2.0


class Host:
    """Runs at most one agent at a time. `faults`: how it misbehaves of its own."""

    def __init__(self, folder: Path, hub: Broker, weather: Weather, ledger: Ledger) -> None:
        self.faults = Faults()
        self.agent: Agent | None = None
        self.bots: Bots | None = None
        self.line: Line | None = None
        self._folder = folder
        self._hub = hub
        self._weather = weather
        self._ledger = ledger
        self._survivors: Survivors = {}
        self._journal: WatchedJournal | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._sessions = itertools.count(1)

    @property
    def _chance(self) -> random.Random:
        return self._weather.chance

    @property
    def strategies(self) -> Mapping[str, Strategy]:
        """What the agent holds; nothing while there is none."""
        return dict(self.agent.processor.strategies) if self.agent is not None else {}

    # Coming.

    async def start(self) -> None:
        if self.agent is not None:
            return
        session = AgentSession(
            agent=NAME,
            session=f"{next(self._sessions):016x}",
            capabilities=CAPABILITIES,
            strategy_types=[],
            heartbeat_s=HEARTBEAT_S,
        )
        scout = Line(self._hub, ClientIdentity("scout"), self._weather)
        stale = await Discovery(scout, TOPICS, NAME).run()
        self.line = Line(
            self._hub,
            ClientIdentity(
                f"{NAME}-{session.session}", Will(TOPICS.presence(NAME), session.offline(), retain=True)
            ),
            self._weather,
        )
        self._journal = WatchedJournal(self._folder, self._ledger)
        self.bots = Bots(self._ledger, self._chance, self._survivors)
        components = AgentComponents(
            validator=FaultyValidator(catalog=load_catalog(), faults=self.faults),
            journal=self._journal,
            runner=FaultyRunner(self.bots, self.faults, self._chance),
            transport=FaultyTransport(self.line, TOPICS, self.faults, self._chance),
            session=session,
        )
        settings = AgentSettings(name=NAME, root=ROOT, heartbeat_s=HEARTBEAT_S, performance_interval_s=50.0)
        await self._serve(Agent(settings, components), stale)

    async def _serve(self, agent: Agent, stale: Iterable[str]) -> None:
        assert self._journal is not None
        self.agent = agent
        self._journal.know(agent.processor.strategies)
        self._stop = asyncio.Event()
        self._task = asyncio.ensure_future(agent.run(self._stop, set(stale)))
        await asyncio.sleep(0.5 + len(self._survivors))
        self._survivors = {}

    # Going.

    async def kill(self, *, bots_live_on: bool = False) -> None:
        """As kill -9 does: no farewell, and the broker publishes the will. The bots die with it, or live on."""
        if self.bots is None or self.line is None or self._task is None:
            return
        self._survivors = await self.bots.left_behind(self._chance) if bots_live_on else {}
        for name, (strategy, _) in self._survivors.items():
            if name not in self._ledger.up:
                self._ledger.came_up(strategy.name)
        for name in self._ledger.up - self._survivors.keys():
            self._ledger.fell(name)
        self.line.drop("killed")
        self._task.cancel()
        await self._end()

    async def stop(self) -> None:
        """In good order, with a farewell; simulated bots end with their process."""
        if self._task is None:
            return
        for name in set(self._ledger.up):
            self._ledger.fell(name)
        self._stop.set()
        await self._end()

    async def _end(self) -> None:
        assert self._task is not None
        assert self._journal is not None
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._journal.close()
        self.agent = self.bots = self.line = None
        self._task = None

    async def lose_state(self) -> None:
        """The machine is replaced: its bots and all that its agent knew are gone."""
        await self.kill()
        self._survivors = {}
        shutil.rmtree(self._folder, ignore_errors=True)
        self._ledger.lost_everything()

    def check(self) -> None:
        """Fail if the agent ended by itself."""
        assert self._task is None or not self._task.done(), self._task

    # The line.

    def cut(self) -> None:
        if self.line is not None and self.line.connected:
            self.line.drop()

    def mend(self) -> None:
        if self.line is not None and not self.line.connected:
            self.line.restore()
