"""
Plain scalars → values, by YAML 1.2's core schema. Pure.

Rule 1: only what the core schema calls a number, a boolean or null is one: `no`, dates and 1.2.3 are text.
Rule 2: a number keeps its value exactly; what cannot be kept or traded with is refused, not rounded.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

MAX_DIGITS = 40
MAX_EXPONENT = 400
"""No price or amount needs more; without a limit, 1e999999999 would take gigabytes to write out."""

WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")

UNSURE_STARTS = frozenset({"", *_NUMBER_STARTS, *(word[0] for word in WORDS if word)})
"""The first characters of scalars that may be something else than text; all others are text at a glance."""

_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE]([-+]?[0-9]+))?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_GROUPED = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?", re.ASCII)

_FITS_INT = 10**18
"""Larger whole numbers are Decimals: encoders take integers only up to 64 bits."""


class NotPlain(Exception):
    """A scalar that looks like a number and is not to be one; its arguments are what and fix."""


def plain(text: str) -> Any:  # noqa: ANN401  (null, a boolean, a number or text)
    """The value of a scalar without quotes.

    Raises:
        NotPlain: NaN, an infinity, `_` between digits, or a number out of any range.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INT.fullmatch(text) or _BASED.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise _out_of_range(text)
        number = int(text, 0 if text[1:2] in {"x", "o"} else 10)
        return number if abs(number) < _FITS_INT else Decimal(number)
    if fraction := _FLOAT.fullmatch(text):
        exponent = fraction[1] or "0"
        digits = sum(character.isdigit() for character in text)
        if digits - len(exponent.strip("+-")) > MAX_DIGITS or len(exponent) > MAX_DIGITS:
            raise _out_of_range(text)
        if abs(int(exponent)) > MAX_EXPONENT:
            raise _out_of_range(text)
        return Decimal(text)
    if _NOT_FINITE.fullmatch(text):
        raise NotPlain(f"{text} is not a number to trade with", "write a finite number, or remove the field")
    if "_" in text and _GROUPED.fullmatch(text):
        raise NotPlain(f"{text} has _ between its digits", f"write {text.replace('_', '')}")
    return text


def _out_of_range(text: str) -> NotPlain:
    shown = text if len(text) <= MAX_DIGITS else f"{text[:20]}…"
    return NotPlain(
        f"number {shown} is out of any range",
        f"use at most {MAX_DIGITS} digits and exponents up to {MAX_EXPONENT}",
    )
