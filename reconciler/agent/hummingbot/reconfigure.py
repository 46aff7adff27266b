"""Whether a bot has taken what it was told: what was sent against what it runs with. Pure."""

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
"""Numbers come back as binary fractions, with 15 digits or more."""


def is_controller(catalog: Catalog, strategy: Strategy) -> bool:
    """Whether it is a v2 controller, which reads its file by itself."""
    return catalog.layout(strategy.strategy_type).kind == CONTROLLER


def changed_fields(catalog: Catalog, before: Strategy, after: Strategy) -> dict[str, Any]:
    """The fields of Hummingbot's own file that differ, as they are to be; one left out now has its default."""
    was, wanted = _full(catalog, before), _full(catalog, after)
    names = sorted(was.keys() | wanted.keys())
    return {name: wanted.get(name) for name in names if not is_same(was.get(name), wanted.get(name))}


def _full(catalog: Catalog, strategy: Strategy) -> Mapping[str, Any]:
    file = to_hummingbot(
        catalog,
        strategy.strategy_type,
        name=strategy.name,
        exchange=strategy.exchange,
        trading_pair=strategy.trading_pair,
        config=catalog.with_defaults(strategy.strategy_type, strategy.config),
    )
    return file.data


def not_taken(wanted: Mapping[str, Any], has: Mapping[str, Any]) -> list[str]:
    """Fields that a bot does not run with, in words; a field that it does not tell of counts as not taken."""
    return [
        f"{name} is {has[name]!s}, not {value!s}" if name in has else f"{name} is not told"
        for name, value in wanted.items()
        if name not in has or not is_same(value, has[name])
    ]


def is_same(one: object, other: object) -> bool:
    """Whether two values mean the same to Hummingbot: 0.10 and 0.1, true and "True", a list and its text."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if _is_list(one) or _is_list(other):
        return _all_same(_items(one), _items(other))
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


def _all_same(ones: Sequence[object], others: Sequence[object]) -> bool:
    return len(ones) == len(others) and all(map(is_same, ones, others))


def _text(value: object) -> str:
    return "" if value is None else str(value).casefold()
