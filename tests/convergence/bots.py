"""Bots whose ups and downs are entered in the ledger, and which may outlive their agent as real ones do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

from reconciler.agent.journal import Journal
from reconciler.agent.model import Entry, StateChanged, Strategy
from reconciler.agent.runner import BotEvent, EventListener
from reconciler.agent.simulated.runner import SimulatedRunner
from reconciler.model.state import Lifecycle
from tests.convergence.ledger import Ledger

START_S = 0.3
STOP_S = 0.1

Survivors = Mapping[str, tuple[Strategy, bool]]
"""Bots that are up without an agent: what each runs, and whether it is paused."""


class Bots(SimulatedRunner):
    """The product's simulated bots. `survivors`: those that an agent's death left running."""

    def __init__(self, ledger: Ledger, chance: random.Random, survivors: Survivors) -> None:
        super().__init__(start_delay_s=START_S, rng=chance)
        self._ledger = ledger
        self._survivors = survivors
        self._coming: dict[str, tuple[Strategy, bool]] = {}
        self._hears: EventListener = _nobody

    async def open(self, listener: EventListener) -> None:
        self._hears = listener
        await super().open(_nobody)
        for strategy, paused in self._survivors.values():
            await super().start(strategy, paused=paused)
        await super().open(self._on_event)

    def _on_event(self, event: BotEvent) -> None:
        if isinstance(event, StateChanged) and event.state is Lifecycle.ERROR:
            self._ledger.stopped_itself(event.name)
        self._hears(event)

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        self._ledger.begins(strategy.name)
        self._coming[strategy.name] = (strategy, paused)
        try:
            await super().start(strategy, paused=paused)
            self._ledger.came_up(strategy.name)
        finally:
            del self._coming[strategy.name]

    async def stop(self, name: str) -> None:
        await asyncio.sleep(STOP_S)
        await super().stop(name)
        self._ledger.was_stopped(name)

    def stop_by_hand(self, name: str) -> None:
        super().stop_by_hand(name)
        self._ledger.fell(name)

    async def is_up(self, name: str) -> bool:
        """Whether its bot can be laid hands on: it is up and not waiting for its restart."""
        return name in await self.find()

    async def left_behind(self, chance: random.Random) -> Survivors:
        """The bots that go on without their agent; one that is just starting does, or does not."""
        left = {}
        for name, state in (await self.find()).items():
            left[name] = (self.strategy(name), state is Lifecycle.PAUSED)
        left.update({name: coming for name, coming in self._coming.items() if chance.random() < 0.5})
        return left


def _nobody(event: BotEvent) -> None:
    """Who listens while survivors are taken over: they say nothing new."""


class WatchedJournal(Journal):
    """An agent's journal; what strategies it gains and loses is entered in the ledger."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        super().__init__(folder)
        self._ledger = ledger
        self._ids: dict[str, str] = {}

    def know(self, strategies: Mapping[str, Strategy]) -> None:
        """What an earlier life left is no news."""
        self._ids = {name: strategy.strategy_id for name, strategy in strategies.items()}

    def write(self, entry: Entry) -> None:
        super().write(entry)
        for name, strategy in entry.strategies.items():
            if strategy is None:
                self._ids.pop(name, None)
                self._ledger.was_deleted(name)
            elif self._ids.get(name) != strategy.strategy_id:
                if name in self._ids:
                    self._ledger.was_deleted(name)
                self._ids[name] = strategy.strategy_id
                self._ledger.was_created(name)
