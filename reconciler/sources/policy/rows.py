"""
Rows of a table of settings, found by exchange and pair. Pure.

Of the rows of one severity the first that fits counts: exceptions stand before what holds in general, and a
warning may stand beside an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from reconciler.errors import Severity
from reconciler.settings.model import LimitRow, TotalRow
from reconciler.sources.policy.markets import Market

Row = TypeVar("Row", TotalRow, LimitRow)

_KNOWN_MARKETS = 16_384
"""More than all exchanges that Hummingbot knows have pairs worth a strategy."""


class Fitting(NamedTuple, Generic[Row]):
    severity: Severity
    row: Row


class Rows(Generic[Row]):
    """`severity`: of rows that have none of their own."""

    def __init__(self, rows: Iterable[Row], severity: str) -> None:
        self._rows: list[Fitting[Row]] = [Fitting(Severity(row.severity or severity), row) for row in rows]
        self.fitting: Callable[[Market], tuple[Fitting[Row], ...]] = lru_cache(_KNOWN_MARKETS)(self._fitting)

    def _fitting(self, market: Market) -> tuple[Fitting[Row], ...]:
        """At most one row for each severity, errors first."""
        found: dict[Severity, Fitting[Row]] = {}
        for each in self._rows:
            if each.severity not in found and is_meant(each.row, market):
                found[each.severity] = each
        return tuple(found[severity] for severity in Severity if severity in found)


def is_meant(row: TotalRow | LimitRow, market: Market) -> bool:
    """Whether a row is about a market; `*` stands for any letters."""
    return matches(row.exchange, market.exchange) and matches(row.trading_pair, market.pair)


def matches(pattern: str, name: str) -> bool:
    """Whether a name is the one meant; settings allow no other sign of patterns than `*`."""
    return pattern in {"*", name} or ("*" in pattern and fnmatchcase(name, pattern))
