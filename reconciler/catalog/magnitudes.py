"""
Numbers of a config that are too large for their unit → Magnitudes: percentages written where fractions are asked for.

Rule 1: pure: values in, values out; a value of a wrong type is another check's violation.
Rule 2: what is a slip in every reading is an error; what may be meant is a warning that says both readings.
Rule 3: a number with its unit (`300%`) says what it means: only what is a slip in every reading is reported of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from reconciler.catalog.units import FRACTION, PERCENT, convert, in_percent, plainly, spelled, takes_unit

Path: TypeAlias = tuple[str | int, ...]

FRACTIONS, VOLATILITIES = "fractions", "volatilities"
"""Units of lists of fractions, and of multiples of the volatility."""

_SLIP = {PERCENT: 10_000, FRACTION: 100, FRACTIONS: 100, VOLATILITIES: 10_000}
"""From here on a value is a slip by any reading: 10,000 % of a price, and 10,000 times its volatility."""

_FRACTION_FIX = "write a fraction, of which 1 is 100 %: 0.001 is 0.1 %"
_FIXES = {
    PERCENT: "write percent: 0.1 is 0.1 %",
    FRACTION: _FRACTION_FIX,
    FRACTIONS: _FRACTION_FIX,
    VOLATILITIES: "write a number such as 1 or 2",
}

_SHARES = frozenset({
    "activation_bounds", "base_grid_value_pct", "executor_activation_bounds", "max_base_pct", "max_deviation",
    "max_grid_value_pct", "max_position_deviation", "min_base_pct", "percentage_threshold", "portfolio_allocation",
    "position_rebalance_threshold_pct", "target_base_pct",
})  # fmt: skip
"""Fractions of a whole, of which all of it is a usual value."""

_MULTIPLES = frozenset({"hedge_ratio"})
"""Fractions of which more than the whole is a usual value."""

_BARRIERS = frozenset({"activation_price", "stop_loss", "take_profit", "trailing_delta"})
"""Fractions below a field, as in trailing_stop and triple_barrier_config, whose schemas name no unit."""

_BUYS = frozenset({"buy_spreads"})
"""Distances below the price: a price has 100 % to fall."""

_TRAILING_STOP = "trailing_stop"
"""A mapping of two fractions, or a text of them."""

_UNBOUNDED = frozenset({"price_ceiling_pct", "price_floor_pct"})
"""Percentages that a large number switches off."""


_Number: TypeAlias = tuple[Path, str, Decimal, str]
"""Path, name of what it is, value, unit."""


class Magnitude(msgspec.Struct, frozen=True, gc=False):
    """A number that is too large at `path` below the config. `is_error`: it is a slip in every reading."""

    path: Path
    what: str
    fix: str
    is_error: bool


def too_large(config: Mapping[str, Any], units: Mapping[str, str]) -> Iterator[Magnitude]:
    """What is too large of a config as the file has it. `units`: field → its x-unit."""
    for name, value in config.items():
        unit, kind = units.get(name, ""), type(value)
        # Nearly all values end here: below 1, or without a unit, nothing is too large (benchmarks.read_files).
        if kind is Decimal or kind is int:
            if unit not in _SLIP or value < 1:
                continue
        elif (kind is str and unit not in _SLIP and name != _TRAILING_STOP) or kind is bool or value is None:
            continue
        if name not in _UNBOUNDED:
            for path, what, number, of in _numbers((name,), name, value, unit):
                yield from _judged(path, what, number, of)


def _numbers(path: Path, kind: str, value: Any, unit: str) -> Iterator[_Number]:  # noqa: ANN401  (any value of a config)
    """The numbers of a value that have a unit, each with its path and the name that says what it is."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = (kind, unit) if unit else (key, FRACTIONS if key in _BARRIERS else "")
            yield from _numbers((*path, key), inner[0], item, inner[1])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers((*path, index), kind, item, unit)
    elif isinstance(value, str):
        yield from ((path, kind, number, of) for number, of in _in_text(kind, value, unit))
    elif unit in _SLIP and type(value) in {int, Decimal}:
        yield path, kind, Decimal(value), unit


def _in_text(kind: str, text: str, unit: str) -> Iterator[tuple[Decimal, str]]:
    """The numbers of a text, each with its unit: a list as Hummingbot's own files hold it, or one with % or bps."""
    if unit in {FRACTIONS, VOLATILITIES} or kind == _TRAILING_STOP:
        for part in text.split(","):
            if (number := spelled(part.strip(), {"number"})) is not None:
                yield Decimal(number), unit or FRACTIONS
    elif (meant := convert(text, unit)) is not None and meant >= _SLIP[unit]:
        yield meant, unit


def _judged(path: Path, kind: str, number: Decimal, unit: str) -> Iterator[Magnitude]:
    """What is too large about one number."""
    short, whole = plainly(number), in_percent(number, FRACTION if unit == FRACTIONS else unit)
    percentage = f"{whole.normalize():,f}"
    if number >= _SLIP[unit]:
        what = f"{short} means {percentage} %"
        if unit == VOLATILITIES:
            what = f"{short} is {number:,f} times the volatility"
        yield Magnitude(path, what, _FIXES[unit], is_error=True)
    elif unit in {FRACTION, FRACTIONS} and kind not in _MULTIPLES:
        if number < 1 or (number == 1 and kind in _SHARES):
            return
        price = ", a buy at a price of 0 or below" if kind in _BUYS else ""
        fix = f"if {short} % was meant, write {plainly(number.scaleb(-2))}"
        if takes_unit(unit) and len(path) == 1:
            fix = f"{fix} or {short}%; if not, write {plainly(whole)}% to say so"
        yield Magnitude(path, f"{short} means {percentage} %{price}, not {short} %", fix, is_error=False)
