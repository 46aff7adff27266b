"""
Plan × Desired × Observed × performance → one row for each strategy, as `status` shows it: table, document, exit code.

Rule 1: what cannot be seen is unknown, in every column; an old value is never shown as the present one.
Rule 2: the exit code is derived from the rows that are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import click
import msgspec

from reconciler.errors import ExitCode
from reconciler.model.change import Action, Change, Plan, Reason
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Lifecycle, Observed, ObservedStrategy, Presence
from reconciler.plan.render.values import printable
from reconciler.protocol.messages import Performance
from reconciler.protocol.times import parse_time

FORMAT = "reconciler.status/1"

_SYNC = {
    Action.BLOCKED: "blocked",
    Action.WAIT: "waiting",
    Action.UNKNOWN: "unknown",
    Action.UNMANAGED: "unmanaged",
}
_DRIFT = {Reason.DRIFTED, Reason.STATE}

_HEALTH = {
    Lifecycle.ERROR: "error",
    Lifecycle.STARTING: "in transit",
    Lifecycle.STOPPING: "in transit",
}

HEADINGS = ("STRATEGY", "WISH", "LIVE", "SYNC", "HEALTH", "NET PNL", "ORDERS", "AGE", "")
_RIGHT = {5, 6, 7}
"""Columns of numbers."""

_COLOURS = {
    "in sync": "green",
    "healthy": "green",
    "pending": "yellow",
    "waiting": "yellow",
    "drift": "yellow",
    "in transit": "yellow",
    "degraded": "yellow",
    "blocked": "magenta",
    "unknown": "magenta",
    "error": "red",
}

_DAY_S = 86_400


class StatusRow(msgspec.Struct, frozen=True):
    """One strategy. None: nothing is wanted, nothing is seen, or it was not reported.

    `sync`: in sync, pending (Git changed), drift (the bot changed), blocked, waiting, unknown or unmanaged;
    `why` is the sentence to it. `health`: healthy, degraded, in transit, error, absent or unknown. `age_s`:
    since the bot's own last report, by its clock. Amounts are in the pair's quote asset.
    """

    target: str
    name: str
    wish: str | None
    live: str | None
    sync: str
    why: str
    health: str
    message: str
    net_pnl_quote: int | Decimal | None
    volume_quote: int | Decimal | None
    open_orders: int | None
    age_s: float | None

    @property
    def key(self) -> Key:
        return Key(self.target, self.name)


class StatusInput(msgspec.Struct, frozen=True):
    """What the rows are made of. `performance`: the last that a bot sent; `now`: in UTC, for ages."""

    plan: Plan
    desired: Desired
    observed: Mapping[str, Observed]
    performance: Callable[[Key], Performance | None]
    now: datetime


def status_rows(given: StatusInput) -> list[StatusRow]:
    """A row for each strategy that Git wants or that is live, by name."""
    changes = {change.key: change for change in given.plan.changes}
    live = {Key(target, name) for target, view in given.observed.items() for name in view.strategies}
    keys = sorted({*given.desired.specs, *given.desired.held, *live, *changes})
    return [_row(key, changes.get(key), given) for key in keys]


def _row(key: Key, change: Change | None, given: StatusInput) -> StatusRow:
    spec = given.desired.specs.get(key)
    view = given.observed.get(key.target)
    presence = Presence.UNKNOWN if view is None else view.presence(key.name)
    seen = view.strategies[key.name] if view is not None and presence is Presence.PRESENT else None
    performance = given.performance(key) if seen is not None else None
    sync, why = "in sync", ""
    if change is not None:
        sync = _SYNC.get(change.action) or ("drift" if change.reason in _DRIFT else "pending")
        why = f"{change.reason}: {change.detail}" if change.detail else change.reason.value
    health = presence.value
    if seen is not None:
        is_degraded = any(condition.status for condition in seen.conditions)
        health = _HEALTH.get(seen.state) or ("degraded" if is_degraded else "healthy")
    return StatusRow(
        target=key.target,
        name=key.name,
        wish=spec.state.value if spec else None,
        live=seen.state.value if seen else None,
        sync=sync,
        why=why,
        health=health,
        message=seen.message if seen else "",
        net_pnl_quote=performance.net_pnl_quote if performance else None,
        volume_quote=performance.volume_quote if performance else None,
        open_orders=performance.open_orders if performance else None,
        age_s=_age_s(seen, given.now),
    )


def _age_s(seen: ObservedStrategy | None, now: datetime) -> float | None:
    """A clock that is ahead of ours shows as 0."""
    if seen is None or seen.observed_at is None:
        return None
    try:
        return max(0.0, round((now - parse_time(seen.observed_at)).total_seconds(), 1))
    except ValueError:
        return None


def status_exit_code(shown: Iterable[StatusRow]) -> ExitCode:
    """4: something is unknown. 2: something is pending, drifted or under way. 0: all else."""
    found = {row.sync for row in shown}
    if "unknown" in found:
        return ExitCode.UNKNOWN
    return ExitCode.CHANGES if found & {"pending", "drift", "waiting"} else ExitCode.OK


def status_document(plan: Plan, shown: list[StatusRow]) -> dict[str, object]:
    """The rows for programs."""
    return {
        "format": FORMAT,
        "commit": plan.commit,
        "ref": plan.ref,
        "exit_code": int(status_exit_code(shown)),
        "targets": plan.targets,
        "strategies": shown,
    }


def status_table(shown: Sequence[StatusRow]) -> str:
    """The table, without a newline at its end: columns are as wide as what is in them, colour is added last."""
    cells = [HEADINGS, *(_cells(row) for row in shown)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = []
    for line in cells:
        padded = [
            cell.rjust(width) if column in _RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        coloured = (
            click.style(cell, fg=colour) if (colour := _COLOURS.get(cell.strip())) else cell
            for cell in padded
        )
        lines.append("  ".join(coloured).rstrip())
    return "\n".join(lines)


def _cells(row: StatusRow) -> tuple[str, ...]:
    return (
        str(row.key),
        row.wish or "-",
        row.live or "-",
        row.sync,
        row.health,
        "-" if row.net_pnl_quote is None else f"{Decimal(row.net_pnl_quote):+.2f}",
        "-" if row.open_orders is None else str(row.open_orders),
        "-" if row.age_s is None else age_text(row.age_s),
        printable(" · ".join(filter(None, (row.why, row.message)))),
    )


def age_text(age_s: float) -> str:
    """Such as `4 s`, `12 min`, `3 h`, `2 d`."""
    for limit_s, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (2 * _DAY_S, 3600, "h")):
        if age_s < limit_s:
            return f"{age_s / unit_s:.0f} {unit}"
    return f"{age_s / _DAY_S:.0f} d"
