"""
Plan → JSON for programs. The structs here are its documented shape; it only ever grows.

The exit code is part of it: a program that keeps the output has all there is to know.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.errors import ExitCode
from reconciler.model.change import Change, Plan, TargetSummary
from reconciler.model.spec import Value
from reconciler.plan.render.summary import counts, exit_code, word
from reconciler.protocol.canonical import wire_json
from reconciler.redact import masked

FORMAT = "reconciler.plan/1"


class FieldDocument(msgspec.Struct, frozen=True):
    """`unit`: percent, fraction, base, quote, seconds or empty. `before` is null where `added`, `after` where `removed`."""

    path: str
    before: Value
    after: Value
    unit: str
    added: bool
    removed: bool


class StepDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command. An update has `config` (the keys that are sent) and `config_mode`."""

    op: str
    config: dict[str, Any] | None = None
    config_mode: str | None = None


class MarketDocument(msgspec.Struct, frozen=True):
    """What Git wants to be traded, with whose credentials, and in which state."""

    strategy_type: str
    exchange: str
    trading_pair: str
    account: str
    state: str


class ChangeDocument(msgspec.Struct, frozen=True):
    """`action`: create, update, …, blocked, waiting, unknown, unmanaged. `reason` is for programs, `why` for people.

    `cost`: hot, restart, recreate or null. `desired` is null where Git wants nothing.
    """

    target: str
    name: str
    action: str
    reason: str
    why: str
    detail: str
    cost: str | None
    wave: int
    steps: list[StepDocument]
    fields: list[FieldDocument]
    desired: MarketDocument | None


class PlanDocument(msgspec.Struct, frozen=True):
    """`summary`: number of changes by action, and `unchanged`. `refused`: what a brake says to it, else empty."""

    format: str
    commit: str
    ref: str
    exit_code: int
    refused: str
    summary: dict[str, int]
    targets: tuple[TargetSummary, ...]
    changes: list[ChangeDocument]


def document(plan: Plan, *, refused: str = "") -> PlanDocument:
    """The plan in its documented shape, secrets masked; the exit code is 3 if a brake refuses it."""
    return PlanDocument(
        format=FORMAT,
        commit=plan.commit,
        ref=plan.ref,
        exit_code=ExitCode.REFUSED if refused else exit_code(plan),
        refused=refused,
        summary=counts(plan),
        targets=plan.targets,
        changes=[change_document(change) for change in plan.changes],
    )


def to_json(shown: PlanDocument) -> str:
    """Indented JSON that ends with a newline; numbers keep their digits."""
    return msgspec.json.format(wire_json(shown), indent=2).decode() + "\n"


def change_document(change: Change) -> ChangeDocument:
    """One change in its documented shape, secrets masked."""
    spec = change.desired
    return ChangeDocument(
        target=change.target,
        name=change.name,
        action=word(change.action),
        reason=change.reason.name.lower(),
        why=change.reason.value,
        detail=change.detail,
        cost=change.cost,
        wave=change.wave,
        steps=[
            StepDocument(step.op.value)
            if step.config is None
            else StepDocument(step.op.value, masked(step.config), step.config_mode.value)
            for step in change.steps
        ],
        fields=[
            FieldDocument(
                path=field.path,
                before=masked(field.before, field.path),
                after=masked(field.after, field.path),
                unit=field.unit,
                added=field.added,
                removed=field.removed,
            )
            for field in change.fields
        ],
        desired=None
        if spec is None
        else MarketDocument(
            spec.strategy_type, spec.exchange, spec.trading_pair, spec.account, spec.state.value
        ),
    )
