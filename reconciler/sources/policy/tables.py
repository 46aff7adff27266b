"""
Tables of `policy`: the row that counts for a market, and the rule of `policy.limits`. Pure.

Of the rows of one severity the first that fits counts: exceptions stand before what holds in general, and a
warning may stand beside an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from reconciler.catalog.units import FRACTION, convert, in_percent, plainly
from reconciler.errors import Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import LimitRow, PolicySettings, TotalRow
from reconciler.sources.policy.exposure import CONFIG, Kind, Market, Traded, at, numbers
from reconciler.sources.policy.findings import Finding, Spot
from reconciler.sources.yaml.document import Path

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


class Limits:
    """A rule like those of `alone`, made of all rows. A field's least and its most are looked up apart."""

    def __init__(self, policy: PolicySettings) -> None:
        self._bounds: list[tuple[Path, _Bound, Rows[LimitRow]]] = []
        for field in dict.fromkeys(row.field for row in policy.limits):
            for bound in _BOUNDS:
                rows = [row for row in policy.limits if row.field == field and bound.of(row)]
                self._bounds.append((path_of(field), bound, Rows(rows, policy.severity)))

    def __call__(self, spec: StrategySpec, kind: Kind, markets: list[Traded]) -> Iterator[Finding]:
        """What is out of bounds, each bound told once, as an error if it is one on any of the markets."""
        for path, bound, rows in self._bounds:
            if path[0] not in kind.fields:
                continue
            found = [
                finding
                for traded in markets
                for severity, row in rows.fitting(traded.market)
                for finding in _judge(spec, kind, path, bound.of(row), bound, severity, traded.market)
            ]
            yield from sorted(found, key=lambda finding: finding.severity)[:1]


class _Bound(NamedTuple):
    """The least or the most. `sign`: on which side of it is too much. The rest are words for messages."""

    name: str
    sign: int
    beyond: str
    end: str
    within: str

    def of(self, row: LimitRow) -> str:
        return getattr(row, self.name) or ""


_BOUNDS = (_Bound("min", -1, "under", "least", "more"), _Bound("max", 1, "over", "most", "less"))


def _judge(  # noqa: PLR0913, PLR0917  (a value, a bound and a market)
    spec: StrategySpec, kind: Kind, path: Path, text: str, bound: _Bound, severity: Severity, market: Market
) -> Iterator[Finding]:
    unit = kind.fields[str(path[0])].unit
    limit = bound_in(text, unit)
    left_out = "" if path[0] in spec.config else "left out, Hummingbot's default counts: "
    for below, value in numbers(at(spec.config, kind.fields, path)):
        spot = Spot(spec, (CONFIG, *path, *below))
        if limit is None:
            what = f"{plainly(value)} is no percentage, so that policy.limits cannot hold it to {text}"
            fix = f"write a number without a unit instead of {text} in the settings"
            yield Finding(spot, what, fix, severity)
        elif (value - limit) * bound.sign > 0:
            said = plainly(value) if text[-1].isdigit() else f"{plainly(in_percent(value, _each(unit)))} %"
            what = f"{said} is {bound.beyond} {text}, the {bound.end} that policy.limits allows for {market}"
            yield Finding(spot, f"{left_out}{what}", f"write {text}, or {bound.within}", severity)


def bound_in(bound: str, unit: str) -> Decimal | None:
    """A bound in the field's own unit; None if it has a unit that the field does not take."""
    return Decimal(bound) if bound[-1].isdigit() else convert(bound, _each(unit))


def _each(unit: str) -> str:
    """The unit of one item of a field that may hold several."""
    return FRACTION if unit == "fractions" else unit


def path_of(field: str) -> tuple[str, ...]:
    """The way to a field below config."""
    return tuple(field.split(".")[1:])
