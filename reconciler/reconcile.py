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
from collections.abc import Mapping

import msgspec

from reconciler.apply import Applier, Progress, entry_of, quiet
from reconciler.catalog import Catalog
from reconciler.errors import PlanRefused
from reconciler.live import Live
from reconciler.model.change import Plan
from reconciler.model.report import EventKind, SyncReport
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Observed, Presence
from reconciler.notify import wording
from reconciler.notify.notifier import Notifier
from reconciler.plan.guard import check
from reconciler.plan.planner import PlanOptions, make_plan
from reconciler.settings import SyncSettings
from reconciler.store.base import Store


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass works with. `stop` is set when the process is asked to leave."""

    live: Live
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
    return make_plan(desired, parts.live.observe(), parts.store.inventory(), parts.catalog, options, only=only)


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
        StoreError: another process is applying with the same store, or the store cannot be written.
    """
    clock = asyncio.get_running_loop().time
    started = clock()
    plan = plan_of(parts, desired, options, only=only)
    remember(parts, desired, plan, only=only)
    try:
        check(plan, parts.sync, fleet=len(desired.specs))
    except PlanRefused as refusal:
        await parts.notifier.standing(EventKind.REFUSED, [wording.refused(str(refusal))])
        return SyncReport(plan, refused=str(refusal))
    await parts.notifier.tell(wording.before(plan))
    applier = Applier(parts.live, parts.store, parts.sync, stop=parts.stop)
    report = SyncReport(plan, await applier.apply(plan, progress), clock() - started)
    await parts.notifier.finished(report, whole=only is None)
    return report


def remember(parts: Parts, desired: Desired, plan: Plan, *, only: frozenset[Key] | None) -> None:
    """Bring the inventory up to date with what needs no step: ours and equal already, or proved gone."""
    observed = parts.live.observe()
    changing = {change.key for change in plan.changes}
    inventory = parts.store.inventory()
    for key in plan.forget:
        parts.store.forget(key)
    for key in desired.specs if only is None else only & desired.specs.keys():
        spec = desired.specs[key]
        known = inventory.get(key)
        if key in changing or (known is not None and known.config == spec.config and known.wave == spec.wave):
            continue
        if _seen(observed, key):
            parts.store.put(entry_of(spec, desired.commit))


def _seen(observed: Mapping[str, Observed], key: Key) -> bool:
    view = observed.get(key.target)
    return view is not None and view.presence(key.name) is Presence.PRESENT
