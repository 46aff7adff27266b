"""
Applies the tables of `policy`: `policy.limits` to each strategy, `policy.max_total_amount` to the whole fleet. Pure.

Rule 1: of the rows of one severity the first that fits a market counts: exceptions stand before what holds in
general, and a warning may apply together with an error.
Rule 2: a total that is too much is a finding of each strategy with a share in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import product
from typing import Generic, NamedTuple, TypeVar

from reconciler.catalog.units import FRACTION, convert, in_percent, plainly
from reconciler.errors import Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import LimitRow, PolicySettings, TotalRow
from reconciler.sources.policy.exposure import (
    BASE,
    CONFIG,
    QUOTE,
    Market,
    StrategyKind,
    Traded,
    at,
    may_trade,
    numbers,
    ordered,
)
from reconciler.sources.policy.findings import Finding, Spot, with_others
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
        fittings = [Fitting(Severity(row.severity or severity), row) for row in rows]

        @lru_cache(_KNOWN_MARKETS)
        def fitting(market: Market) -> tuple[Fitting[Row], ...]:
            """At most one row for each severity, errors first."""
            found: dict[Severity, Fitting[Row]] = {}
            for each in fittings:
                row = each.row
                is_meant = matches(row.exchange, market.exchange) and matches(row.trading_pair, market.pair)
                if is_meant and each.severity not in found:
                    found[each.severity] = each
            return tuple(found[severity] for severity in Severity if severity in found)

        self.fitting: Callable[[Market], tuple[Fitting[Row], ...]] = fitting


def matches(pattern: str, name: str) -> bool:
    """Whether a name is the one meant; settings allow no other sign of patterns than `*`."""
    return pattern in {"*", name} or ("*" in pattern and fnmatchcase(name, pattern))


class Limits:
    """`policy.limits`, all rows as one rule. A field's least and its most are looked up apart."""

    def __init__(self, policy: PolicySettings) -> None:
        self._bounds: list[tuple[Path, _Bound, Rows[LimitRow]]] = []
        for field in dict.fromkeys(row.field for row in policy.limits):
            for bound in _BOUNDS:
                rows = [row for row in policy.limits if row.field == field and bound.of(row)]
                self._bounds.append((path_of(field), bound, Rows(rows, policy.severity)))

    def __call__(self, spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> Iterator[Finding]:
        """What is out of bounds: one finding for each bound, an error if it is one on any of the markets."""
        for path, bound, rows in self._bounds:
            if path[0] not in kind.fields:
                continue
            unit = kind.fields[str(path[0])].unit
            left_out = "" if path[0] in spec.config else "left out, Hummingbot's default applies: "
            values = numbers(at(spec.config, kind.fields, path))
            limits = [(traded.market, *row) for traded in markets for row in rows.fitting(traded.market)]
            found: list[Finding] = []
            for (market, severity, row), (below, value) in product(limits, values):
                text = bound.of(row)
                limit = bound_in(text, unit)
                spot = Spot(spec, (CONFIG, *path, *below))
                if limit is None:
                    what = f"{plainly(value)} is not a percentage, so that policy.limits cannot hold it to {text}"
                    fix = f"write a number without a unit instead of {text} in the settings"
                    found.append(Finding(spot, what, fix, severity))
                elif (value - limit) * bound.sign > 0:
                    said = (
                        plainly(value)
                        if text[-1].isdigit()
                        else f"{plainly(in_percent(value, _each(unit)))} %"
                    )
                    what = f"{said} is {bound.beyond} {text}, the {bound.end} that policy.limits allows for {market}"
                    fix = f"write {text}, or {bound.within}"
                    found.append(Finding(spot, f"{left_out}{what}", fix, severity))
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


def bound_in(bound: str, unit: str) -> Decimal | None:
    """A bound in the field's own unit; None if it has a unit that the field does not take."""
    return Decimal(bound) if bound[-1].isdigit() else convert(bound, _each(unit))


def _each(unit: str) -> str:
    """The unit of one item of a field that may hold several."""
    return FRACTION if unit == "fractions" else unit


def path_of(field: str) -> tuple[str, ...]:
    """The way to a field below config."""
    return tuple(field.split(".")[1:])


class _Share(NamedTuple):
    """What one strategy orders, and where its file says so."""

    spot: Spot
    size: Decimal


class Totals:
    """`policy.max_total_amount`: all strategies of the fleet together. Made for one look at the fleet."""

    def __init__(self, limits: Mapping[str, Rows[TotalRow]]) -> None:
        self._limits = limits
        self._shares: dict[tuple[Market, str], list[_Share]] = {}

    def add(self, spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> None:
        if not self._limits or not may_trade(spec):
            return
        amount = ordered(spec.config, kind.fields)
        if amount is None or amount.asset not in self._limits or not amount.size:
            return
        for traded in markets:
            shares = self._shares.setdefault((traded.market, amount.asset), [])
            shares.append(_Share(Spot(spec, amount.at), amount.size))

    def findings(self) -> Iterator[Finding]:
        """One for each strategy with a share in what is too much, as an error if it is one."""
        for (market, asset), shares in self._shares.items():
            total = sum((share.size for share in shares), Decimal())
            base, _, quote = market.pair.partition("-")
            name = base if asset == BASE else quote
            for severity, row in self._limits[asset].fitting(market):
                most = row.base if asset == BASE else row.quote
                if most is None or total <= most:
                    continue
                fix = f"remove {plainly(total - most)} {name}, here or there, or stop one (state: stopped)"
                spots = with_others([share.spot for share in shares])
                for (spot, others, more), (_, size) in zip(spots, shares, strict=True):
                    of_all = f" of {plainly(total)} {name} in all" if others else f" {name}"
                    what = f"{plainly(size)}{of_all} ordered for {market}"
                    what = f"{what}: more than policy.max_total_amount = {plainly(most)} allows"
                    yield Finding(spot, what, fix, severity, others, more)
                break


def total_limits(policy: PolicySettings) -> dict[str, Rows[TotalRow]]:
    """The rows that limit each asset, if there are any."""
    base = [row for row in policy.max_total_amount if row.base is not None]
    quote = [row for row in policy.max_total_amount if row.quote is not None]
    return {asset: Rows(rows, policy.severity) for asset, rows in ((BASE, base), (QUOTE, quote)) if rows}
