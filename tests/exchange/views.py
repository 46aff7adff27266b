"""What tests see of the exchange: orders, and the rest of its state. Looks only; numbers as plain text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.exchange.accounts import Account
from tests.exchange.orders import Fill, Order, Status

if TYPE_CHECKING:
    from tests.exchange.server import Exchange


def orders_view(exchange: Exchange, *, only_open: bool) -> list[dict[str, Any]]:
    """Every order there ever was, or those that are open, oldest first on each venue."""
    return [
        order_view(name, order)
        for name, venue in exchange.venues.items()
        for order in venue.orders
        if order.is_open or not only_open
    ]


def order_view(venue: str, order: Order) -> dict[str, Any]:
    wanted = order.wanted
    return {
        "venue": venue,
        "id": order.id,
        "account": order.account,
        "client_id": wanted.client_id,
        "pair": wanted.pair.name,
        "side": wanted.side,
        "type": wanted.type,
        "price": None if wanted.price is None else _plain(wanted.price),
        "quantity": _plain(wanted.quantity),
        "filled": _plain(order.filled),
        "status": order.status,
        "position_side": wanted.position_side,
        "leverage": order.leverage,
        "placed_at_ms": order.placed_at_ms,
        "updated_at_ms": order.updated_at_ms,
        "fills": [_fill_view(fill) for fill in order.fills],
    }


def state_view(exchange: Exchange) -> dict[str, Any]:
    """Counts, requests, prices and what the accounts own."""
    orders = [order for venue in exchange.venues.values() for order in venue.orders]
    return {
        "is_down": exchange.faults.is_down,
        "connections": len(exchange.lines),
        "open_orders": sum(order.is_open for order in orders),
        "orders": len(orders),
        "cancels": sum(order.status is Status.CANCELED for order in orders),
        "fills": sum(len(order.fills) for order in orders),
        "duplicate_client_ids": _duplicates(exchange),
        "requests": dict(exchange.requests),
        "prices": {
            market.pair.name: {
                "mid": _plain(market.mid),
                "bid": _plain(market.bid),
                "ask": _plain(market.ask),
            }
            for market in exchange.markets.by_symbol.values()
        },
        "accounts": {
            name: _account_view(exchange, account) for name, account in exchange.accounts.by_name.items()
        },
    }


def _duplicates(exchange: Exchange) -> dict[str, int]:
    """Client order ids that were sent more than once to the same venue, and how often."""
    return {
        client_id: count
        for venue in exchange.venues.values()
        for client_id, count in venue.duplicate_client_ids.items()
    }


def _account_view(exchange: Exchange, account: Account) -> dict[str, Any]:
    margin = exchange.settlement.margin(account)
    return {
        "balances": {
            asset: {"free": _plain(balance.free), "locked": _plain(balance.locked)}
            for asset, balance in account.balances.items()
        },
        "margin": {asset: _plain(owned) for asset, owned in margin.wallet.items()},
        "positions": [
            {
                "pair": exchange.markets[position.symbol].pair.name,
                "side": position.side,
                "amount": _plain(position.amount),
                "entry": _plain(position.entry),
                "leverage": margin.leverage_of(position.symbol),
            }
            for position in margin.positions.values()
            if position.amount
        ],
    }


def _fill_view(fill: Fill) -> dict[str, Any]:
    return {
        "id": fill.id,
        "price": _plain(fill.price),
        "quantity": _plain(fill.quantity),
        "commission": _plain(fill.commission),
        "commission_asset": fill.commission_asset,
        "profit": _plain(fill.profit),
        "is_maker": fill.is_maker,
        "at_ms": fill.at_ms,
    }


def _plain(value: Decimal) -> str:
    """A number without exponent, trailing zeros or a negative zero."""
    return f"{value.normalize() + 0:f}"
