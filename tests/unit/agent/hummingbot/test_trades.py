"""A bot's trades database, read beside the bot (reconciler/agent/hummingbot/directory.py)."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.agent.hummingbot.directory import TradeHistory, open_orders
from tests.support.bot_database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "mm.sqlite")


def test_fills_are_read_with_their_prices_and_fees(database: Database) -> None:
    database.fill("t1", "BUY", price="60000.5", amount="0.01", fee="0.6")
    trades = TradeHistory(database.file)

    trades.take(trades.read())

    (held,) = trades.holdings.values()
    assert (held.amount, held.breakeven_price, held.fees_quote) == (
        Decimal("0.01"),
        Decimal("60000.5"),
        Decimal("0.6"),
    )


def test_a_second_look_takes_only_what_is_new(database: Database) -> None:
    trades = TradeHistory(database.file)
    database.fill("t1", "BUY", price="100", amount="1")
    trades.take(trades.read())
    trades.take(trades.read())
    database.fill("t2", "SELL", price="110", amount="1")
    trades.take(trades.read())

    (held,) = trades.holdings.values()
    assert [held.realized_quote, held.volume_quote] == [10, 210]


@pytest.mark.parametrize(
    ("status", "stands"),
    [
        ("BuyOrderCreated", True),
        ("SellOrderCreated", True),
        ("OrderFilled", True),
        ("OrderCancelled", False),
        ("BuyOrderCompleted", False),
        ("SellOrderCompleted", False),
        ("OrderFailure", False),
        ("OrderExpired", False),
    ],
)
def test_an_order_stands_until_something_ended_it(database: Database, status: str, stands: bool) -> None:
    database.order("o1", status)

    found = open_orders(database.file)

    assert found is not None
    assert [str(order) for order in found] == (["o1 (ETH-USDT on binance)"] if stands else [])


def test_no_database_is_no_knowledge(tmp_path: Path) -> None:
    assert open_orders(tmp_path / "nowhere.sqlite") is None


def test_a_database_that_is_none_is_no_knowledge(tmp_path: Path) -> None:
    (tmp_path / "mm.sqlite").write_text("no database")

    assert open_orders(tmp_path / "mm.sqlite") is None


def test_a_database_that_is_locked_is_read_at_the_next_look(database: Database) -> None:
    database.fill("t1", "BUY", price="100", amount="1")
    trades = TradeHistory(database.file, patience_s=0.01)
    blocker = sqlite3.connect(database.file, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    trades.take(trades.read())
    assert trades.holdings == {}

    blocker.execute("ROLLBACK")
    blocker.close()
    trades.take(trades.read())

    assert len(trades.holdings) == 1


def test_reading_changes_nothing(database: Database) -> None:
    database.order("o1", "BuyOrderCreated")
    before = database.file.read_bytes()

    TradeHistory(database.file).read()

    assert database.file.read_bytes() == before
