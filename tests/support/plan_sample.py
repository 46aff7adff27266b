"""The plan that plan.md shows, and builders for others to look at."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reconciler.model.change import Action, Change, Cost, FieldChange, Op, Plan, Reason, Step, TargetSummary
from tests.support.plan_builders import COMMIT, spec

SEEN = TargetSummary("default", 3, connected=True, complete=True, extended=True, age_s=0.4)


def shown(
    name: str, action: Action, reason: Reason, ops: str = "", *fields: FieldChange, **other: Any
) -> Change:
    steps = tuple(Step(Op(op)) for op in ops.split())
    return Change("default", name, action, reason, steps=steps, fields=fields, desired=spec(name), **other)


def plan_with(*changes: Change, **other: Any) -> Plan:
    return Plan(COMMIT, "main", changes, **{"unchanged": 12, "targets": (SEEN,), **other})


SAMPLE = plan_with(
    shown("eth-maker", Action.CREATE, Reason.NEW, "create start"),
    shown(
        "btc-maker",
        Action.UPDATE,
        Reason.CHANGED,
        "update",
        FieldChange("config.bid_spread", Decimal("0.1"), Decimal("0.12"), "percent"),
        cost=Cost.HOT,
    ),
    shown(
        "sol-arb",
        Action.REPLACE,
        Reason.IDENTITY_CHANGED,
        "stop delete create start",
        FieldChange("trading_pair", "SOL-USDT", "SOL-USDC"),
        cost=Cost.RECREATE,
    ),
    shown("old-maker", Action.DELETE, Reason.REMOVED, "stop delete"),
    shown("doge-maker", Action.BLOCKED, Reason.NOT_OURS),
)
