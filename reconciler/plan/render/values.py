"""
One field that differs → a line for people: values, units, what is new and what goes. Pure.

Rule 1: a number is shown with its unit, a fraction also as the percentage that it is.
Rule 2: nothing that a file, a bot or a broker said reaches a terminal as a control sequence.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from reconciler.model.change import FieldChange
from reconciler.model.spec import StrategySpec, Value
from reconciler.protocol.canonical import wire_json
from reconciler.redact import masked

ABSENT = "(not set)"
REMOVED = "(removed)"
LONGEST = 60
"""Characters of a value before it is cut; `verbose` shows all of it."""

_PLAIN_DIGITS = 18
"""Numbers of at most so many digits are written out, others with an exponent."""


def field_line(field: FieldChange, spec: StrategySpec | None, *, verbose: bool = False) -> str:
    """Such as `config.bid_spread: 0.1 → 0.12 %`."""
    field = msgspec.structs.replace(
        field, before=masked(field.before, field.path), after=masked(field.after, field.path)
    )
    before = ABSENT if field.added else value_text(field.before, verbose=verbose)
    after = REMOVED if field.removed else value_text(field.after, verbose=verbose)
    unit = unit_sign(field.unit, spec)
    if not unit:
        return f"{field.path}: {before} → {after}"
    if field.removed:
        return f"{field.path}: {before} {unit} → {after}"
    if field.unit != "fraction":
        return f"{field.path}: {before} → {after} {unit}"
    # 0.001 is a tenth of a percent, and is easily read as something else.
    reading = " → ".join(
        value_text(Decimal(value) * 100)
        for value in (field.before, field.after)
        if isinstance(value, int | Decimal) and not isinstance(value, bool)
    )
    return f"{field.path}: {before} → {after}" + (f" ({reading} %)" if reading else "")


def unit_sign(unit: str, spec: StrategySpec | None) -> str:
    """How a unit of the schema (x-unit) is written; base and quote are the assets of the spec's pair."""
    if unit in {"base", "quote"}:
        base, dash, quote = (spec.trading_pair if spec else "").partition("-")
        return (base if unit == "base" else quote) if dash else unit
    return {"percent": "%", "seconds": "s"}.get(unit, unit)


def value_text(value: Value, *, verbose: bool = True) -> str:
    """A value as people read it: plain text and numbers as they are, all else as JSON."""
    text = _text(value)
    return text if verbose or len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _text(value: Value) -> str:
    if isinstance(value, Decimal):
        short = _shortest(value)
        return format(short, "f") if abs(short.adjusted()) < _PLAIN_DIGITS else str(short)
    if isinstance(value, str) and value == value.strip() and value.isprintable() and value:
        return value
    return wire_json(_plain(value)).decode()


def _plain(value: Value) -> Any:  # noqa: ANN401  (any JSON value)
    """Numbers inside lists and objects in their shortest form."""
    if isinstance(value, Decimal):
        return _shortest(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _shortest(value: Decimal) -> Decimal:
    return value.normalize() if len(value.as_tuple().digits) <= _PLAIN_DIGITS else value


def printable(text: str) -> str:
    """`text` with each character that a terminal might act on, or hide, written out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
