"""
What a bot earned, in the wire's shape (protocol.md, Performance). Pure.

v1: out of its fills, since it reports nothing by itself. v2: out of the report of its controllers.

Rule 1: what is not known is left out: a v1 bot's open position has no price here, so it has no unrealized profit.
Rule 2: positions count from the bot's first fill: what it traded, not what its account holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.protocol.messages import Performance, Position

_ZERO = Decimal(0)


class Fill(msgspec.Struct, frozen=True):
    """One trade. `amount` in the base asset, positive; `price` and `fee_quote` in the quote asset."""

    exchange: str
    trading_pair: str
    is_buy: bool
    price: Decimal
    amount: Decimal
    fee_quote: Decimal = _ZERO


class Holding(msgspec.Struct):
    """What fills of one pair on one exchange came to. `amount` is below 0 for more sold than bought."""

    amount: Decimal = _ZERO
    breakeven_price: Decimal = _ZERO
    realized_quote: Decimal = _ZERO
    volume_quote: Decimal = _ZERO
    fees_quote: Decimal = _ZERO

    def take(self, fill: Fill) -> None:
        """Add one fill, at average cost: what reduces the holding realizes profit, what enlarges it has a price."""
        self.volume_quote += fill.price * fill.amount
        self.fees_quote += fill.fee_quote
        signed = fill.amount if fill.is_buy else -fill.amount
        if self.amount * signed < 0:
            closed = min(abs(self.amount), fill.amount)
            gain = fill.price - self.breakeven_price
            self.realized_quote += closed * (gain if self.amount > 0 else -gain)
            signed = signed + closed if signed < 0 else signed - closed
            self.amount += closed if self.amount < 0 else -closed
        if signed:
            cost = abs(self.amount) * self.breakeven_price + abs(signed) * fill.price
            self.amount += signed
            self.breakeven_price = cost / abs(self.amount)


def holdings(fills: Iterable[Fill]) -> dict[tuple[str, str], Holding]:
    """Holdings by exchange and pair; fills in the order in which they happened."""
    found: dict[tuple[str, str], Holding] = {}
    for fill in fills:
        found.setdefault((fill.exchange, fill.trading_pair), Holding()).take(fill)
    return found


def of_fills(
    name: str, timestamp: str, held: Mapping[tuple[str, str], Holding], open_orders: int | None
) -> Performance:
    """A v1 bot's figures. `timestamp`: RFC 3339."""
    every = held.values()
    realized = sum((one.realized_quote - one.fees_quote for one in every), _ZERO)
    is_flat = not any(one.amount for one in every)
    return Performance(
        strategy_name=name,
        timestamp=timestamp,
        realized_pnl_quote=realized,
        unrealized_pnl_quote=_ZERO if is_flat else None,
        net_pnl_quote=realized if is_flat else None,
        volume_quote=sum((one.volume_quote for one in every), _ZERO),
        fees_quote=sum((one.fees_quote for one in every), _ZERO),
        open_orders=open_orders,
        positions=tuple(_position(*where, one) for where, one in held.items() if one.amount),
    )


def _position(exchange: str, trading_pair: str, held: Holding) -> Position:
    return Position(
        exchange=exchange,
        trading_pair=trading_pair,
        side="long" if held.amount > 0 else "short",
        amount=abs(held.amount),
        breakeven_price=held.breakeven_price,
    )


# Controllers.


def of_report(
    name: str, timestamp: str, report: Mapping[str, Any], open_orders: int | None
) -> Performance | None:
    """A v2 bot's figures out of what its bridge publishes on `performance`; None if that says nothing."""
    parts = [body["performance"] for body in report.values() if _has_figures(body)]
    if not parts:
        return None
    positions = [entry for part in parts for entry in _entries(part.get("positions_summary"))]
    return Performance(
        strategy_name=name,
        timestamp=timestamp,
        realized_pnl_quote=_sum(parts, "realized_pnl_quote"),
        unrealized_pnl_quote=_sum(parts, "unrealized_pnl_quote"),
        net_pnl_quote=_sum(parts, "global_pnl_quote"),
        volume_quote=_sum(parts, "volume_traded"),
        open_orders=open_orders,
        positions=tuple(_reported(entry) for entry in positions),
    )


def _has_figures(body: object) -> bool:
    return isinstance(body, Mapping) and isinstance(body.get("performance"), Mapping)


def _entries(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _sum(parts: Iterable[Mapping[str, Any]], key: str) -> Decimal | None:
    numbers = [number for part in parts if (number := as_number(part.get(key))) is not None]
    return sum(numbers, _ZERO) if numbers else None


def _reported(entry: Mapping[str, Any]) -> Position:
    side = str(entry.get("side", "")).rpartition(".")[2].lower()
    return Position(
        exchange=str(entry.get("connector_name", "")),
        trading_pair=str(entry.get("trading_pair", "")),
        side={"buy": "long", "sell": "short"}.get(side, side),
        amount=as_number(entry.get("amount")) or 0,
        breakeven_price=as_number(entry.get("breakeven_price")) or 0,
        unrealized_pnl_quote=as_number(entry.get("unrealized_pnl_quote")) or 0,
    )


def as_number(value: object) -> Decimal | None:
    """A number as the bridge writes it: negative integers come as texts, NaN can come bare (hummingbot.md)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if math.isfinite(number) else None
