"""
Refuse what is too big to be meant, before anything is sent.

Rule 1: a brake refuses the whole plan, and says both numbers and the exact command to go on.
Rule 2: stops and pauses that Git asks for count for no brake, and none holds them (`unbraked`).
Rule 3: a first sync is not too big: what is new, adopted as it is, or only started changes nothing that runs.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import msgspec

from reconciler.errors import PlanRefused
from reconciler.model.change import Action, Change, Cost, Plan
from reconciler.settings.model import SyncSettings


def check(plan: Plan, sync: SyncSettings, fleet: int, *, command: str = "reconciler apply") -> None:
    """Let `plan` pass. `fleet`: how many strategies Git wants. `command`: what would apply this very plan.

    Raises:
        PlanRefused: it deletes, changes or restarts more than `sync` allows.
    """
    deletes = sum(change.action is Action.DELETE for change in plan.acting)
    creates = sum(change.action is Action.CREATE for change in plan.acting)
    restarts = sum(change.cost in {Cost.RESTART, Cost.RECREATE} for change in plan.acting)
    overruns: list[tuple[str, str]] = []
    if deletes > sync.max_deletes:
        what = f"deletes {_strategies(deletes)}, more than sync.max_deletes = {sync.max_deletes} allows"
        overruns.append((what, f"--max-deletes {deletes}"))
    if restarts > sync.max_restarts:
        what = f"restarts {_strategies(restarts)}, more than sync.max_restarts = {sync.max_restarts} allows"
        overruns.append((what, f"--max-restarts {restarts}"))
    existing = fleet - creates + deletes  # that Git wanted or wants and that are not just being created
    changed = sum(map(alters, plan.acting))
    allowed = Decimal(str(sync.max_change_fraction))
    if existing >= sync.min_fleet and changed > allowed * existing:
        needed = (Decimal(changed) / existing).quantize(Decimal("0.01"), ROUND_CEILING)
        what = (
            f"changes {changed} of {existing} strategies ({needed}), "
            f"more than sync.max_change_fraction = {allowed} allows"
        )
        overruns.append((what, f"--max-change-fraction {needed}"))
    if overruns:
        said = "; it ".join(what for what, _ in overruns)
        flags = " ".join(flag for _, flag in overruns)
        raise PlanRefused(f"plan {said}. If this is meant: {command} {flags}")


def unbraked(plan: Plan) -> Plan:
    """The part of `plan` that no brake may hold: what only stops or pauses."""
    lowering = tuple(change for change in plan.changes if change.action in {Action.STOP, Action.PAUSE})
    return msgspec.structs.replace(plan, changes=lowering)


def alters(change: Change) -> bool:
    """Whether a strategy that exists becomes another one, or none."""
    if change.action is Action.UPDATE:
        return bool(change.fields) or change.cost is Cost.RESTART
    return change.action in {Action.REPLACE, Action.DELETE}


def _strategies(number: int) -> str:
    return f"{number} {'strategy' if number == 1 else 'strategies'}"
