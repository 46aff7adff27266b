"""
One pass: observe what is live, compare it with what is desired, and apply the difference.

    desired ─┐
             ├─ plan ── brakes ── apply ── record ── notify
    observed ┘

A pass is level-based: it never asks what happened, only how things are, so a lost message, a crash and a
change by hand all end in the next pass. `service` decides when to make one; `reconciler apply` makes one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from reconciler.apply import Applier, Progress, quiet
from reconciler.errors import PlanRefused, StoreBusy
from reconciler.fleet.base import Fleet
from reconciler.model.change import Plan
from reconciler.model.report import SyncReport
from reconciler.model.spec import Key
from reconciler.model.state import Desired, InventoryEntry, Presence
from reconciler.notify.notifier import Notifier
from reconciler.plan.brakes import check, unbraked
from reconciler.plan.planner import PlanOptions, make_plan
from reconciler.plan.steps import CatalogView
from reconciler.protocol.canonical import spec_hash
from reconciler.protocol.times import format_time
from reconciler.settings.model import SyncSettings
from reconciler.store.base import Store

LOCK_PATIENCE_S = 60.0
"""Another pass with our store may be stopping bots that take their time."""

LOCK_POLL_S = 0.2


class Reconciler:
    """Makes the bots of `fleet` match what is desired, one pass at a time.

    `store` remembers what is ours, `catalog` what Hummingbot knows of fields, `notifier` notifies people.
    `stop` is set when the process is asked to leave: the step in flight is finished, the rest is skipped.
    """

    def __init__(  # noqa: PLR0913  (the parts of a pass, each named)
        self,
        fleet: Fleet,
        store: Store,
        catalog: CatalogView,
        notifier: Notifier,
        sync: SyncSettings,
        *,
        stop: asyncio.Event,
    ) -> None:
        self._fleet = fleet
        self._store = store
        self._catalog = catalog
        self._notifier = notifier
        self._sync = sync
        self._stop = stop

    def options(
        self, *, adopt: frozenset[str] | bool = False, rejected: Mapping[Key, str] | None = None
    ) -> PlanOptions:
        """How to plan, as of now. `rejected`: spec hashes that bots refused for good."""
        return PlanOptions(
            owner=self._fleet.owner,
            prune=self._sync.prune,
            self_heal=self._sync.self_heal,
            adopt=adopt,
            now_utc=format_time(datetime.now(UTC)),
            rejected=rejected or {},
        )

    def plan(self, desired: Desired, options: PlanOptions, *, only: frozenset[Key] | None = None) -> Plan:
        """Work out what it would take now to make the bots match `desired`; send and write nothing.

        `only`: look at these strategies and no others, for a pass after news of a few.
        """
        observed, inventory = self._fleet.observe(), self._store.inventory()
        return make_plan(desired, observed, inventory, self._catalog, options, only=only)

    async def run(
        self,
        desired: Desired,
        options: PlanOptions,
        *,
        progress: Progress = quiet,
        only: frozenset[Key] | None = None,
    ) -> SyncReport:
        """Make one pass. What fails is in the report; only what is no strategy's fault is raised.

        Raises:
            StoreError: another process keeps applying with the same store, or the store cannot be written.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        async with self._exclusively():
            plan = self.plan(desired, options, only=only)
            self._record(desired, plan, only)
            refused = self._refusal(plan, fleet_size=len(desired.specs))
            admitted = unbraked(plan) if refused else plan
            await self._notifier.sync_started(admitted, refused=refused, whole=only is None)
            applier = Applier(self._fleet, self._store, self._sync, stop=self._stop)
            results = await applier.apply(admitted, progress)
            report = SyncReport(plan, results, clock() - started, refused)
            await self._notifier.sync_finished(report, whole=only is None)
        return report

    def _refusal(self, plan: Plan, *, fleet_size: int) -> str:
        """What a brake says to `plan`; even then, what only stops or pauses goes on."""
        try:
            check(plan, self._sync, fleet=fleet_size)
        except PlanRefused as refusal:
            return str(refusal)
        return ""

    @contextlib.asynccontextmanager
    async def _exclusively(self) -> AsyncIterator[None]:
        """Keep other processes with our store from applying meanwhile; after one of them, take a new epoch.

        Raises:
            StoreBusy: another one holds it for longer than `LOCK_PATIENCE_S`.
            StoreError: it cannot be locked.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + LOCK_PATIENCE_S
        while True:
            with contextlib.ExitStack() as stack:
                try:
                    others_applied = stack.enter_context(self._store.applying(0.0))
                except StoreBusy:
                    if clock() >= deadline:
                        raise
                else:
                    if others_applied:
                        # Another machine's clock may be ahead of ours: go above what its agents announce.
                        agents = (agent for view in self._fleet.observe().values() for agent in view.agents)
                        highest = max((agent.highest_epoch for agent in agents), default=0)
                        self._fleet.renew(self._store.take_epoch(above=highest))
                    yield
                    return
            await asyncio.sleep(LOCK_POLL_S)

    def _record(self, desired: Desired, plan: Plan, only: frozenset[Key] | None) -> None:
        """Bring the inventory up to date with what needs no step: ours and equal already, or proved gone."""
        for key in plan.forget:
            self._store.forget(key)
        observed, inventory = self._fleet.observe(), self._store.inventory()
        keys = desired.specs.keys() if only is None else only & desired.specs.keys()
        for key in keys - {change.key for change in plan.changes}:
            spec, entry = desired.specs[key], inventory.get(key)
            if entry is not None and entry.matches(spec):
                continue
            view = observed.get(key.target)
            if view is not None and view.presence(key.name) is Presence.PRESENT:
                self._store.put(
                    InventoryEntry.from_spec(spec, spec_hash(spec), desired.commit, reached=spec.state)
                )
