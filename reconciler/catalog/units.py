"""Percentages as people write them → Hummingbot's unit of the field, exactly. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

PERCENT, FRACTION = "percent", "fraction"

_WITH_UNIT = re.compile(r"([-+]?[0-9]*\.?[0-9]{1,40}) ?(%|bps)", re.ASCII)

_FACTOR = {
    (PERCENT, "%"): Decimal(1),
    (PERCENT, "bps"): Decimal("0.01"),
    (FRACTION, "%"): Decimal("0.01"),
    (FRACTION, "bps"): Decimal("0.0001"),
}


def takes_unit(unit: str) -> bool:
    """Whether a field of this x-unit may be written with % or bps."""
    return unit in {PERCENT, FRACTION}


def has_unit(text: str) -> bool:
    """Whether `text` is a number with % or bps."""
    return _WITH_UNIT.fullmatch(text) is not None


def convert(text: str, unit: str) -> Decimal | None:
    """`text` such as `0.1%` or `10bps` in the field's unit (percent or fraction); None if it is neither."""
    found = _WITH_UNIT.fullmatch(text)
    if found is None or not takes_unit(unit):
        return None
    return Decimal(found[1]) * _FACTOR[unit, found[2]]


def as_percent(value: Decimal | int, unit: str) -> Decimal:
    """A value of a percent or fraction field as a percentage."""
    return Decimal(value) * 100 if unit == FRACTION else Decimal(value)
