"""
Refuse what is too big to be meant, before anything is sent.

Rule 1: a brake refuses the whole plan, and says both numbers and the exact command to go on.
Rule 2: stops and pauses that Git asks for count for no brake, and none holds them (`unbraked`).
Rule 3: a first sync is not too big: what is new, adopted as it is, or only started changes nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, Decimal

import msgspec

from reconciler.errors import PlanRefused
from reconciler.model.change import Action, Change, Cost, Plan
from reconciler.settings.model import SyncSettings


class _Overrun(msgspec.Struct, frozen=True):
    """One brake that grips: what the plan does, and the flag that would let it."""

    what: str
    flag: str


def check(plan: Plan, sync: SyncSettings, fleet: int, *, command: str = "reconciler apply") -> None:
    """Let `plan` pass. `fleet`: how many strategies Git wants. `command`: what would apply this very plan.

    Raises:
        PlanRefused: it deletes, changes or restarts more than `sync` allows.
    """
    overruns = list(_overruns(plan, sync, fleet))
    if overruns:
        what = "; it ".join(overrun.what for overrun in overruns)
        flags = " ".join(overrun.flag for overrun in overruns)
        raise PlanRefused(f"plan {what}. If this is meant: {command} {flags}")


def unbraked(plan: Plan) -> Plan:
    """The part of `plan` that no brake may hold: what only stops or pauses."""
    lowering = tuple(change for change in plan.changes if change.action in {Action.STOP, Action.PAUSE})
    return msgspec.structs.replace(plan, changes=lowering)


def _overruns(plan: Plan, sync: SyncSettings, fleet: int) -> Iterator[_Overrun]:
    deletes = _count(plan, {Action.DELETE})
    if deletes > sync.max_deletes:
        yield _Overrun(
            f"deletes {_strategies(deletes)}, more than sync.max_deletes = {sync.max_deletes} allows",
            f"--max-deletes {deletes}",
        )
    restarts = sum(change.cost in {Cost.RESTART, Cost.RECREATE} for change in plan.acting)
    if restarts > sync.max_restarts:
        yield _Overrun(
            f"restarts {_strategies(restarts)}, more than sync.max_restarts = {sync.max_restarts} allows",
            f"--max-restarts {restarts}",
        )
    yield from _too_much_at_once(plan, sync, fleet - _count(plan, {Action.CREATE}) + deletes)


def _too_much_at_once(plan: Plan, sync: SyncSettings, existing: int) -> Iterator[_Overrun]:
    """`existing`: strategies that Git wanted or wants and that are not just being created."""
    changed = sum(map(_alters, plan.acting))
    allowed = Decimal(str(sync.max_change_fraction))
    if existing >= sync.min_fleet and changed > allowed * existing:
        needed = (Decimal(changed) / existing).quantize(Decimal("0.01"), ROUND_CEILING)
        yield _Overrun(
            f"changes {changed} of {existing} strategies ({needed}), "
            f"more than sync.max_change_fraction = {allowed} allows",
            f"--max-change-fraction {needed}",
        )


def _alters(change: Change) -> bool:
    """Whether a strategy that exists becomes another one, or none."""
    if change.action is Action.UPDATE:
        return bool(change.fields) or change.cost is Cost.RESTART
    return change.action in {Action.REPLACE, Action.DELETE}


def _count(plan: Plan, actions: Iterable[Action]) -> int:
    return sum(change.action in actions for change in plan.acting)


def _strategies(number: int) -> str:
    return f"{number} {'strategy' if number == 1 else 'strategies'}"
