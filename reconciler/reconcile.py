"""
One pass: look at what is wanted and what is live, work out the difference, make it go away.

    desired ─┐
             ├─ plan ── guard ── apply ── record ── tell
    observed ┘

A pass is level-based: it never asks what happened, only how things are, so a lost message, a crash or a
change by hand all end in the same place: the next pass. `service` decides when to make one; `cli` makes one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import msgspec

from reconciler.apply import Applier, Progress, entry_of, is_entry_of, quiet
from reconciler.catalog import Catalog
from reconciler.errors import PlanRefused, StoreBusy
from reconciler.fleet.client import FleetClient
from reconciler.model.change import Plan
from reconciler.model.report import SyncReport
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Observed, Presence
from reconciler.notify.notifier import Notifier
from reconciler.plan.guard import check, unbraked
from reconciler.plan.planner import PlanOptions, make_plan
from reconciler.settings.model import SyncSettings
from reconciler.store.base import Store

LOCK_PATIENCE_S = 60.0
"""Another pass with our store may be stopping bots that take their time."""

LOCK_POLL_S = 0.2


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass works with. `stop` is set when the process is asked to leave."""

    live: FleetClient
    store: Store
    catalog: Catalog
    notifier: Notifier
    sync: SyncSettings
    stop: asyncio.Event


def plan_of(
    parts: Parts, desired: Desired, options: PlanOptions, *, only: frozenset[Key] | None = None
) -> Plan:
    """What it would take now to make the bots match `desired`; sends nothing, writes nothing.

    `only`: look at these strategies and no others, for a pass after news of a few.
    """
    return make_plan(
        desired, parts.live.observe(), parts.store.inventory(), parts.catalog, options, only=only
    )


async def reconcile(
    parts: Parts,
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
    async with _alone(parts):
        plan = plan_of(parts, desired, options, only=only)
        remember(parts, desired, plan, only=only)
        refused = _refusal(parts, desired, plan)
        allowed = unbraked(plan) if refused else plan
        await parts.notifier.starting(allowed, refused=refused, whole=only is None)
        applier = Applier(parts.live, parts.store, parts.sync, stop=parts.stop)
        report = SyncReport(plan, await applier.apply(allowed, progress), clock() - started, refused)
        await parts.notifier.finished(report, whole=only is None)
    return report


def _refusal(parts: Parts, desired: Desired, plan: Plan) -> str:
    """What a brake says to `plan`; even then, what only stops or pauses goes on."""
    try:
        check(plan, parts.sync, fleet=len(desired.specs))
    except PlanRefused as refusal:
        return str(refusal)
    return ""


@contextlib.asynccontextmanager
async def _alone(parts: Parts) -> AsyncIterator[None]:
    """Keep other processes with our store from applying meanwhile; after one of them, take a new epoch.

    Raises:
        StoreBusy: another one holds it for longer than `LOCK_PATIENCE_S`.
        StoreError: it cannot be locked.
    """
    deadline = asyncio.get_running_loop().time() + LOCK_PATIENCE_S
    while True:
        with contextlib.ExitStack() as stack:
            try:
                others = stack.enter_context(parts.store.applying(0.0))
            except StoreBusy:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            else:
                if others:
                    parts.live.renew(parts.store.take_epoch(above=_highest_epoch(parts.live)))
                yield
                return
        await asyncio.sleep(LOCK_POLL_S)


def _highest_epoch(live: FleetClient) -> int:
    """The highest epoch that an agent has announced: another machine's clock may be ahead of ours."""
    agents = (agent for view in live.observe().values() for agent in view.agents)
    return max((agent.highest_epoch for agent in agents), default=0)


def remember(parts: Parts, desired: Desired, plan: Plan, *, only: frozenset[Key] | None) -> None:
    """Bring the inventory up to date with what needs no step: ours and equal already, or proved gone."""
    observed = parts.live.observe()
    changing = {change.key for change in plan.changes}
    inventory = parts.store.inventory()
    for key in plan.forget:
        parts.store.forget(key)
    for key in desired.specs.keys() - changing if only is None else (only & desired.specs.keys()) - changing:
        spec, known = desired.specs[key], inventory.get(key)
        if not (known is not None and is_entry_of(known, spec)) and _seen(observed, key):
            parts.store.put(entry_of(spec, desired.commit, reached=True))


def _seen(observed: Mapping[str, Observed], key: Key) -> bool:
    view = observed.get(key.target)
    return view is not None and view.presence(key.name) is Presence.PRESENT
