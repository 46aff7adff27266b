"""
Percentages as people write them → Hummingbot's unit of the field.

Rule 1: pure and exact: moving the decimal point never rounds.
Rule 2: numbers and truth values are read as Hummingbot's own files and prompts spell them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Context, Decimal
from functools import lru_cache

PERCENT, FRACTION = "percent", "fraction"

_WITH_UNIT = re.compile(r"([-+]?[0-9]{0,20}\.?[0-9]{1,20}) ?(%|bps)", re.ASCII)
"""At most 40 digits, as in a plain number."""

_LONGEST = 46
"""Characters of the longest text that _WITH_UNIT matches."""

_NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,2})?", re.ASCII
)
"""With an exponent, too: generators write small prices as 3.1E-7. Larger exponents are no price or amount."""

_WORDS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}
"""How Hummingbot's own files and prompts spell true and false."""

_PLACES = {(PERCENT, "%"): 0, (PERCENT, "bps"): -2, (FRACTION, "%"): -2, (FRACTION, "bps"): -4}
"""By how many decimal places a unit moves the number."""

_EXACT = Context(prec=60)
"""More digits than a number may have."""

_READABLE_ZEROS = 12
"""Powers of ten from which on `plainly` writes an exponent."""


def takes_unit(unit: str) -> bool:
    """Whether a field of this x-unit may be written with % or bps."""
    return unit in {PERCENT, FRACTION}


def has_unit(text: str) -> bool:
    """Whether `text` is a number with % or bps."""
    return _WITH_UNIT.fullmatch(text) is not None


def convert(text: str, unit: str) -> Decimal | None:
    """`text` such as `0.1%` or `10bps` in the field's unit (percent or fraction); None if it is neither."""
    return _converted(text, unit) if len(text) <= _LONGEST else None


@lru_cache(1024)  # a fleet repeats the same few numbers
def _converted(text: str, unit: str) -> Decimal | None:
    found = _WITH_UNIT.fullmatch(text)
    if found is None or not takes_unit(unit):
        return None
    return Decimal(found[1]).scaleb(_PLACES[unit, found[2]], _EXACT)


def spelled(text: str, types: Collection[str]) -> bool | int | Decimal | None:
    """A text as the number or truth value that a field of these JSON types holds; None if it may be something else.

    Hummingbot reads "0.1" and "yes" so; YAML 1.2 leaves both of them texts.
    """
    if "string" in types:
        return None
    own = set(types) - {"null"}
    if own == {"boolean"}:
        return _WORDS.get(text.lower())
    if own and own <= {"number", "integer"} and _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("+-").isdigit() else Decimal(text)
    return None


def in_percent(value: Decimal | int, unit: str) -> Decimal:
    """A value of a percent or fraction field as a percentage."""
    return Decimal(value).scaleb(2 if unit == FRACTION else 0, _EXACT)


def plainly(value: Decimal) -> str:
    """A number as people write it: 0.10 as 0.1, 1E+2 as 100; in powers of ten only where that is shorter."""
    short = value.normalize(_EXACT)
    return f"{short:f}" if abs(short.adjusted()) <= _READABLE_ZEROS else str(short)
