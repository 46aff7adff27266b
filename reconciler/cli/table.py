"""Rows of `status` → a table for people. Pure: columns are as wide as what is in them, colour is added last."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import click

from reconciler.cli.overview import Row
from reconciler.plan.render.values import printable

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


def table(shown: Sequence[Row]) -> str:
    """The table, without a newline at its end."""
    cells = [HEADINGS, *(_cells(row) for row in shown)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "\n".join(_line(line, widths) for line in cells)


def _cells(row: Row) -> tuple[str, ...]:
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


def _line(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    text = "  ".join(_coloured(cell) for cell in padded)
    return text.rstrip()


def _coloured(cell: str) -> str:
    colour = _COLOURS.get(cell.strip())
    return click.style(cell, fg=colour) if colour else cell


def age_text(age_s: float) -> str:
    """Such as `4 s`, `12 min`, `3 h`, `2 d`."""
    for limit_s, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (2 * _DAY_S, 3600, "h")):
        if age_s < limit_s:
            return f"{age_s / unit_s:.0f} {unit}"
    return f"{age_s / _DAY_S:.0f} d"
