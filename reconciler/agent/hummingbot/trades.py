"""
A bot's trades database, read beside the bot that writes it. SQLite, never written to.

The tables are those of Hummingbot 20260922 (hummingbot/model/order.py, trade_fill.py): decimals are integers of millionths.
"""

from __future__ import annotations

import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.performance import Fill, Holding

_MILLIONTHS = Decimal(10**6)
_PATIENCE_S = 2.0
"""A writer of a few rows is through long before."""

_OPEN = ("BuyOrderCreated", "SellOrderCreated", "OrderFilled")
"""Last statuses of orders that may still stand: a fill may be a part; the whole is followed by a completion."""

_FILLS = """
SELECT rowid, market, symbol, trade_type, price, amount, COALESCE(trade_fee_in_quote, 0) FROM TradeFill
WHERE rowid > ? ORDER BY rowid
"""
_ORDERS = 'SELECT id, market, symbol, last_status FROM "Order" WHERE last_status IN (?, ?, ?)'


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that nobody has seen ended."""

    order_id: str
    exchange: str
    trading_pair: str

    def __str__(self) -> str:
        return f"{self.order_id} ({self.trading_pair} on {self.exchange})"


class News(msgspec.Struct, frozen=True):
    """What a look at a database gave: fills since the last one, and all orders that may stand."""

    seen: int
    fills: tuple[Fill, ...]
    open_orders: tuple[OpenOrder, ...]


class Trades:
    """What one bot traded, read a bit further at each look. `file` may not be there yet."""

    def __init__(self, file: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self._file = file
        self._patience_s = patience_s
        self._seen = 0
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.open_orders: tuple[OpenOrder, ...] | None = None

    def read(self) -> News | None:
        """What came since the last look; None if the database cannot be read now. Changes nothing, in any thread."""
        if not self._file.exists():
            return None
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as db:
            rows = db.execute(_FILLS, (self._seen,)).fetchall()
            fills = tuple(_fill(row[1:]) for row in rows)
            return News(rows[-1][0] if rows else self._seen, fills, _open_orders(db))
        return None

    def take(self, news: News | None) -> None:
        """Take in what `read` gave; nothing leaves everything as it was last known."""
        if news is None:
            return
        self._seen = news.seen
        self.open_orders = news.open_orders
        for fill in news.fills:
            self.holdings.setdefault((fill.exchange, fill.trading_pair), Holding()).take(fill)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=self._patience_s
        )


def _fill(row: tuple[str, str, str, int, int, int]) -> Fill:
    exchange, pair, side, price, amount, fee = row
    return Fill(exchange, pair, side == "BUY", price / _MILLIONTHS, amount / _MILLIONTHS, fee / _MILLIONTHS)


def _open_orders(db: sqlite3.Connection) -> tuple[OpenOrder, ...]:
    return tuple(OpenOrder(order, market, pair) for order, market, pair, _ in db.execute(_ORDERS, _OPEN))


def open_orders(file: Path) -> tuple[OpenOrder, ...] | None:
    """Orders that may stand as a database says; None if it cannot be read, or is not there."""
    news = Trades(file).read()
    return None if news is None else news.open_orders
