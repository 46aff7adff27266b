"""
The configuration sent to a bot against the one it runs with: what changed, and whether the bot took it.

Rule 1: no clock, file or socket: the same configurations give the same difference.
Rule 2: fields are compared in Hummingbot's own form, with defaults: a field that is left out returns to its default.
Rule 3: a field that the bot does not report counts as not taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from reconciler.agent.hummingbot.performance import as_number
from reconciler.agent.model import Strategy
from reconciler.catalog import Catalog
from reconciler.catalog.catalog import CONTROLLER
from reconciler.catalog.mapping import to_hummingbot

_CLOSE = Decimal("1e-9")
"""Relative. Numbers come back as binary fractions, with 15 digits or more."""


def is_controller(catalog: Catalog, strategy: Strategy) -> bool:
    """Whether it is a v2 controller, which reads its file by itself."""
    return catalog.layout(strategy.strategy_type).kind == CONTROLLER


def changed_fields(catalog: Catalog, before: Strategy, after: Strategy) -> dict[str, Any]:
    """Return the fields of Hummingbot's own file that differ, with their values after the change."""
    was, wanted = (
        to_hummingbot(
            catalog,
            strategy.strategy_type,
            name=strategy.name,
            exchange=strategy.exchange,
            trading_pair=strategy.trading_pair,
            config=catalog.with_defaults(strategy.strategy_type, strategy.config),
        ).data
        for strategy in (before, after)
    )
    names = sorted(was.keys() | wanted.keys())
    return {name: wanted.get(name) for name in names if not is_same(was.get(name), wanted.get(name))}


def not_taken(wanted: Mapping[str, Any], reported: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each wanted field that a bot does not run with."""
    return [
        f"{name} is {reported[name]!s}, not {value!s}" if name in reported else f"{name} is not reported"
        for name, value in wanted.items()
        if name not in reported or not is_same(value, reported[name])
    ]


def is_same(one: object, other: object) -> bool:
    """Whether two values mean the same to Hummingbot: 0.10 and 0.1, true and "True", a list and its text."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if _is_list(one) or _is_list(other):
        ones, others = _items(one), _items(other)
        return len(ones) == len(others) and all(map(is_same, ones, others))
    first, second = as_number(one), as_number(other)
    if first is not None and second is not None:
        return abs(first - second) <= _CLOSE * max(abs(first), abs(second))
    return _text(one) == _text(other)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _items(value: object) -> list[object]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return [part.strip() for part in str(value).split(",")] if value not in {None, ""} else []


def _text(value: object) -> str:
    return "" if value is None else str(value).casefold()
