"""
What Hummingbot's GridExecutorConfig asks of a grid → Violations.

Rule 1: pure: values in, values out.
Rule 2: what the executor's own validators refuse (20260922, `GridExecutorConfig.validate_grid`) is an error here, since
the controller would start and be refused once a second.
Rule 3: the prices of a grid must be written: Hummingbot's defaults (0.38, 0.75, 0.35) are those of one cheap coin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from reconciler.catalog.violations import Violation
from reconciler.model.spec import Config

BUY, SELL = 1, 2
"""Hummingbot's numbers of a side (`TradeType`)."""

PRICES = {
    "start_price": "the lowest price of the grid",
    "end_price": "the highest price of the grid",
    "limit_price": "the price at which the whole grid is closed at a loss; 0 switches it off",
}

ABOVE_ZERO = (
    "total_amount_quote",
    "min_spread_between_orders",
    "min_order_amount_quote",
    "activation_bounds",
)
"""Fields of a grid controller that its executor wants above zero."""

NEVER_NULL = ("min_spread_between_orders", "min_order_amount_quote")
"""Fields that a controller may leave empty, but its executor may not."""


def grid_violations(strategy_type: str, config: Config) -> Iterator[Violation]:
    """What is wrong with the grids of `grid_strike` and `multi_grid_strike`; nothing for other types."""
    if strategy_type == "grid_strike":
        for name, meaning in PRICES.items():
            if name not in config:
                what = "must be written: Hummingbot's default is a price of one cheap coin"
                yield Violation((name,), what, f"add {name}: {meaning}", key=True, missing=True)
        yield from _grid(config, ())
        yield from _executor_violations(config)
    elif strategy_type == "multi_grid_strike":
        yield from _executor_violations(config)
        grids = config.get("grids")
        for index, grid in enumerate(grids if isinstance(grids, list | tuple) else ()):
            if isinstance(grid, Mapping) and grid.get("enabled", True):
                yield from _grid(grid, ("grids", index))
                share = _number(grid, "amount_quote_pct")
                if share is not None and share <= 0:
                    yield Violation(
                        ("grids", index, "amount_quote_pct"),
                        f"{share} of the amount is nothing",
                        "write a share above 0, or enabled: false",
                    )


def _executor_violations(config: Config) -> Iterator[Violation]:
    """What the executor refuses of a controller's own fields."""
    for name in ABOVE_ZERO:
        value = _number(config, name)
        if value is not None and value <= 0:
            yield Violation((name,), f"{value} is refused by Hummingbot's grid executor", "write more than 0")
        elif name in NEVER_NULL and config.get(name, 1) is None:
            yield Violation(
                (name,), "Hummingbot's grid executor needs a number", f"remove {name}, or write one"
            )
    for name, least in (("max_orders_per_batch", 1), ("order_frequency", 0)):
        value = _number(config, name)
        if value is not None and value < least:
            what = f"{value} is refused by Hummingbot's grid executor"
            yield Violation((name,), what, f"write {least} or more")


def _grid(grid: Mapping[str, Any], below: tuple[str | int, ...]) -> Iterator[Violation]:
    """What is wrong with the prices and the side of one grid."""
    start, end, limit = (_number(grid, name) for name in PRICES)
    side = grid.get("side", BUY)
    if side not in {BUY, SELL}:
        yield Violation((*below, "side"), f"a grid has no side {side}", "write 1 to buy or 2 to sell")
    if start is not None and start <= 0:
        yield Violation((*below, "start_price"), f"{start} is no price", "write a price above 0")
    if start is not None and end is not None and start >= end:
        what = f"start_price {start} is not below end_price {end}"
        fix = "start_price is the bottom of the grid and end_price its top, on both sides"
        yield Violation((*below, "start_price"), what, fix)
        return
    if limit is not None and limit < 0:
        yield Violation(
            (*below, "limit_price"), f"{limit} is no price", "write a price, or 0 to switch it off"
        )
    elif limit and side == BUY and start is not None and limit >= start:
        what = f"{limit} is not below start_price {start}: side 1 buys, and a falling price closes its grid"
        yield Violation((*below, "limit_price"), what, f"write less than {start}, or 0 to switch it off")
    elif limit and side == SELL and end is not None and limit <= end:
        what = f"{limit} is not above end_price {end}: side 2 sells, and a rising price closes its grid"
        yield Violation((*below, "limit_price"), what, f"write more than {end}, or 0 to switch it off")


def _number(values: Mapping[str, Any], name: str) -> int | Decimal | None:
    """The value of a field if it is a number."""
    value = values.get(name)
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
