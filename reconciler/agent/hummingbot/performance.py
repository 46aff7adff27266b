"""
A bot's fills, or the report of its controllers → its performance on the wire (docs/protocol.md, Performance).

Rule 1: no clock, file or socket: the same fills and reports give the same figures.
Rule 2: a v1 bot reports nothing by itself, so its figures come from its fills; those of a v2 bot from its report.
Rule 3: what is not known is left out: without a price here, a v1 bot's open position has no unrealized profit.
Rule 4: positions count from the bot's first fill: what it traded, not what its account holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.protocol.messages import Performance, Position

_ZERO = Decimal(0)


class Fill(msgspec.Struct, frozen=True):
    """One trade of a bot. `amount` in the base asset, positive; `price` and `fee_quote` in the quote asset."""

    exchange: str
    trading_pair: str
    is_buy: bool
    price: Decimal
    amount: Decimal
    fee_quote: Decimal = _ZERO


class Holding(msgspec.Struct):
    """The sum of the fills of one pair on one exchange. `amount` is negative if more was sold than bought."""

    amount: Decimal = _ZERO
    breakeven_price: Decimal = _ZERO
    realized_quote: Decimal = _ZERO
    volume_quote: Decimal = _ZERO
    fees_quote: Decimal = _ZERO

    def take(self, fill: Fill) -> None:
        """Add one fill at average cost: a fill that reduces the holding realizes profit, others move its price."""
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


def performance_from_fills(
    name: str, timestamp: str, held: Mapping[tuple[str, str], Holding], open_orders: int | None
) -> Performance:
    """Return a v1 bot's figures. `timestamp`: RFC 3339; `held`: by exchange and trading pair."""
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
        positions=tuple(
            Position(
                exchange=exchange,
                trading_pair=trading_pair,
                side="long" if one.amount > 0 else "short",
                amount=abs(one.amount),
                breakeven_price=one.breakeven_price,
            )
            for (exchange, trading_pair), one in held.items()
            if one.amount
        ),
    )


def performance_from_report(
    name: str, timestamp: str, report: Mapping[str, Any], open_orders: int | None
) -> Performance | None:
    """Return a v2 bot's figures from what its bridge publishes on `performance`, summed over its controllers.

    None if the report has no figures. What is not of the documented shape is left out.
    """
    parts = [
        body["performance"]
        for body in report.values()
        if isinstance(body, Mapping) and isinstance(body.get("performance"), Mapping)
    ]
    if not parts:
        return None
    positions = []
    for part in parts:
        entries = part.get("positions_summary")
        for entry in entries if isinstance(entries, list) else []:
            if not isinstance(entry, Mapping):
                continue
            side = str(entry.get("side", "")).rpartition(".")[2].lower()
            positions.append(
                Position(
                    exchange=str(entry.get("connector_name", "")),
                    trading_pair=str(entry.get("trading_pair", "")),
                    side={"buy": "long", "sell": "short"}.get(side, side),
                    amount=as_number(entry.get("amount")) or 0,
                    breakeven_price=as_number(entry.get("breakeven_price")) or 0,
                    unrealized_pnl_quote=as_number(entry.get("unrealized_pnl_quote")) or 0,
                )
            )
    return Performance(
        strategy_name=name,
        timestamp=timestamp,
        realized_pnl_quote=_sum(parts, "realized_pnl_quote"),
        unrealized_pnl_quote=_sum(parts, "unrealized_pnl_quote"),
        net_pnl_quote=_sum(parts, "global_pnl_quote"),
        volume_quote=_sum(parts, "volume_traded"),
        open_orders=open_orders,
        positions=tuple(positions),
    )


def _sum(parts: Sequence[Mapping[str, Any]], key: str) -> Decimal | None:
    numbers = [number for part in parts if (number := as_number(part.get(key))) is not None]
    return sum(numbers, _ZERO) if numbers else None


def as_number(value: object) -> Decimal | None:
    """Return a number as the bridge writes it; None for anything else, and for infinity and NaN.

    Negative integers arrive as text, and NaN can arrive bare (docs/hummingbot.md, MQTT bridge).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if math.isfinite(number) else None
