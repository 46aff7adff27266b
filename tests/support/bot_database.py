"""A trades database as Hummingbot 20260922 lays it out, as far as we read it; for tests and the stand-in bot."""

from __future__ import annotations

import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS "Order" (id TEXT NOT NULL PRIMARY KEY, market TEXT NOT NULL, symbol TEXT NOT NULL,
    last_status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS TradeFill (market TEXT NOT NULL, symbol TEXT NOT NULL, order_id TEXT NOT NULL,
    trade_type TEXT NOT NULL, price BIGINT NOT NULL, amount BIGINT NOT NULL, trade_fee_in_quote BIGINT,
    exchange_trade_id TEXT NOT NULL, PRIMARY KEY (market, order_id, exchange_trade_id));
"""


def _millionths(text: str) -> int:
    return int(Decimal(text) * 10**6)


class Database:
    """One bot's database; every call is a transaction of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with self._open() as db:
            db.executescript(_TABLES)

    @contextlib.contextmanager
    def _open(self):
        with contextlib.closing(sqlite3.connect(self.file)) as db, db:
            yield db

    def order(self, order_id: str, status: str, pair: str = "ETH-USDT") -> None:
        with self._open() as db:
            db.execute(
                'INSERT OR REPLACE INTO "Order" VALUES (?, ?, ?, ?)', (order_id, "binance", pair, status)
            )

    def cancel_all(self) -> None:
        with self._open() as db:
            db.execute('UPDATE "Order" SET last_status = ?', ("OrderCancelled",))

    def fill(self, trade_id: str, side: str, *, price: str, amount: str, fee: str = "0") -> None:
        row = (
            "binance",
            "ETH-USDT",
            f"order of {trade_id}",
            side,
            *map(_millionths, (price, amount, fee)),
            trade_id,
        )
        with self._open() as db:
            db.execute("INSERT INTO TradeFill VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
