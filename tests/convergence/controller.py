"""A reconciler's process: its line, its picture and its store; it can be killed, cut off and robbed of its store."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from datetime import UTC, datetime
from pathlib import Path

from reconciler.catalog.loading import load_catalog
from reconciler.fleet.client import FleetClient
from reconciler.fleet.commands import ControllerIdentity
from reconciler.model.change import Plan
from reconciler.model.report import SyncReport
from reconciler.model.spec import Key
from reconciler.model.state import Desired
from reconciler.notify.notifier import Notifier
from reconciler.plan.planner import PlanOptions
from reconciler.reconcile import Reconciler
from reconciler.settings.model import NotificationSettings, SyncSettings, TargetSettings
from reconciler.store.sqlite import SqliteStore, open_store
from reconciler.transport.base import ClientIdentity
from tests.convergence.wire import ROOT, Broker, Line, Weather

TARGET = "default"
OWNER = "us"
WINDOW_S = 5.0
SYNC = SyncSettings(
    max_deletes=99, max_restarts=99, max_change_fraction=1.0, step_timeout_s=2.0, retries=2, concurrency=4
)

_processes = itertools.count()
"""Two processes of one controller have client ids of their own."""


class Controller:
    """One reconciler. `basic`: it treats the agent as a Basic peer.

    `renews`: it takes a new epoch with its next pass: it made none yet, or another process used its store since.
    """

    def __init__(self, file: Path, hub: Broker, weather: Weather, *, name: str, basic: bool) -> None:
        self.line: Line | None = None
        self.live: FleetClient | None = None
        self.store: SqliteStore | None = None
        self.sync = SYNC
        self.stop = asyncio.Event()
        self.renews = True
        self.file = file
        self.name = name
        self._basic = basic
        self._hub = hub
        self._weather = weather

    @property
    def epoch(self) -> int:
        """What its commands carry now."""
        return self.live.identity.epoch if self.live is not None else 0

    async def start(self) -> None:
        if self.live is not None:
            return
        self.renews = True
        self.store = open_store(str(self.file))
        self.line = Line(self._hub, ClientIdentity(f"{self.name}-{next(_processes)}"), self._weather)
        identity = ControllerIdentity(controller=self.name, owner=OWNER, epoch=self.store.epoch)
        target = TargetSettings(
            root=ROOT, profile="basic" if self._basic else "auto", basic_window_s=WINDOW_S
        )
        self.live = FleetClient(self.line, {TARGET: target}, identity)
        await self.live.open()

    async def kill(self) -> None:
        """As kill -9 does: what was not flushed is lost, a lock is free again."""
        if self.live is None or self.line is None or self.store is None:
            return
        self.line.drop("killed")
        self.store.abandon()
        self.live = None

    async def lose_store(self) -> None:
        await self.kill()
        for file in self.file.parent.glob(f"{self.file.name}*"):
            file.unlink()

    # The line.

    def cut(self) -> None:
        if self.live is not None and self.line is not None and self.line.connected:
            self.line.drop()

    def mend(self) -> None:
        if self.live is not None and self.line is not None and not self.line.connected:
            self.line.restore()

    # Passes.

    def reconciler(self) -> Reconciler:
        assert self.live is not None
        assert self.store is not None
        notifier = Notifier(
            self.live.notify, self.store, NotificationSettings(channels=()), default_target=TARGET
        )
        return Reconciler(self.live, self.store, load_catalog(), notifier, self.sync, stop=self.stop)

    def options(self) -> PlanOptions:
        return PlanOptions(owner=OWNER, now_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    async def make_pass(self, desired: Desired, *, only: frozenset[Key] | None = None) -> SyncReport | None:
        """What the service does: nothing without a line to the broker; then None."""
        await self.start()
        assert self.live is not None
        if not self.live.connected:
            return None
        await self.live.settle(WINDOW_S + 1.0)
        self.live.tick()
        report = await self.reconciler().run(desired, self.options(), only=only)
        self.renews = False
        return report

    def plan(self, desired: Desired) -> Plan:
        return self.reconciler().plan(desired, self.options())

    async def killed_pass(self, desired: Desired, after_s: float) -> None:
        """A pass that dies with its process somewhere in the middle: nothing is written after that moment."""
        task = asyncio.ensure_future(self.make_pass(desired))
        await asyncio.wait({task}, timeout=after_s)
        if task.done():
            task.result()
        await self.kill()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task

    async def idle(self, seconds: float) -> None:
        """What the service does between passes: let time pass, and ask for what its picture lacks."""
        for _ in range(round(seconds)):
            await asyncio.sleep(1.0)
            if self.live is not None:
                self.live.tick()
                await self.live.ask_again()
