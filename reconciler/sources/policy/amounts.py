"""
How much a strategy orders at once, out of its config. Pure.

Rule 1: the larger side counts, all its levels together: buys and sells of a maker stand against each other.
Rule 2: in the asset that the fields are in; what would need a price is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from reconciler.catalog import Field
from reconciler.model.spec import Config
from reconciler.sources.policy.values import CONFIG, number, numbers, said
from reconciler.sources.strict.shape import Path

BASE, QUOTE = "base", "quote"
"""x-unit of an amount."""

_AMOUNT, _TOTAL = "order_amount", "total_amount_quote"
"""Hummingbot's names of the size of one order, and of all that a controller may use."""

_OVERRIDE, _SPLIT = "order_override", "split_order_levels_enabled"
_SIDES = ("bid_order_level_amounts", "ask_order_level_amounts")


class Amount(NamedTuple):
    """So much of the base or the quote asset, and where the file says so; `asset`: base or quote."""

    asset: str
    size: Decimal
    at: Path


def ordered(config: Config, fields: Mapping[str, Field]) -> Amount | None:
    """What a strategy of a type with these fields orders; None if its config does not tell."""
    base, quote = fields.get(_AMOUNT), fields.get(_TOTAL)
    if base is not None and base.unit == BASE:
        return _in_base(config, fields)
    if quote is not None and quote.unit == QUOTE:
        size = number(said(config, fields, _TOTAL))
        return None if size is None else Amount(QUOTE, size, (CONFIG, _TOTAL))
    return None


def _in_base(config: Config, fields: Mapping[str, Field]) -> Amount | None:
    """In Hummingbot's order: level lists come before an override, that before equal levels."""
    if config.get(_SPLIT) is True:
        sides = [sum((size for _, size in numbers(config.get(name))), Decimal()) for name in _SIDES]
        return Amount(BASE, max(sides), (CONFIG, _SIDES[sides.index(max(sides))]))
    if override := config.get(_OVERRIDE):
        return Amount(BASE, _larger_side(override), (CONFIG, _OVERRIDE))
    amount, step = number(said(config, fields, _AMOUNT)), number(said(config, fields, "order_level_amount"))
    if amount is None:
        return None
    levels = _levels(config, fields)
    size = amount * levels + (step or Decimal()) * levels * (levels - 1) / 2
    return Amount(BASE, size, (CONFIG, _AMOUNT))


def _larger_side(override: object) -> Decimal:
    """Of orders by name, each a list of side, spread and amount."""
    sides = {"buy": Decimal(), "sell": Decimal()}
    for order in override.values() if isinstance(override, Mapping) else ():
        side, _, size = order
        sides[side] += Decimal(size)
    return max(sides.values())


def _levels(config: Config, fields: Mapping[str, Field]) -> Decimal:
    """Orders on each side; `order_levels`, which avellaneda keeps below `order_levels_mode`."""
    mode = config.get("order_levels_mode")
    below = number(mode.get("order_levels")) if isinstance(mode, Mapping) else None
    levels = number(said(config, fields, "order_levels"))
    return next((count for count in (below, levels) if count is not None), Decimal(1))
