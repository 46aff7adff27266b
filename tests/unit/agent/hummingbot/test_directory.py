"""One bot's directory: archive, disk space, record and trades (reconciler/agent/hummingbot/directory.py)."""

from __future__ import annotations

import os
import sqlite3
import tarfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from reconciler.agent.hummingbot.directory import (
    BotDirectory,
    BotRecord,
    OpenOrder,
    TradeHistory,
    bot_directories,
    check_room,
    pack,
    pack_and_remove,
    prune,
    rotate,
)
from reconciler.agent.hummingbot.process import ProcessIdentity
from reconciler.errors import CommandRejected
from tests.support.agent_builders import strategy
from tests.support.bot_database import Database

NOW = datetime(2026, 11, 23, 20, 5, 6, tzinfo=UTC)


def bot_folder(folder: Path) -> Path:
    bot = folder / "bots" / "mm"
    for name, text in {
        "bot.json": "{}",
        "output.log": "printed",
        "root/logs/logs_mm.log": "logged",
        "root/data/mm.sqlite": "trades",
        "root/conf/strategies/mm.yml": "strategy: pure_market_making",
        "root/conf/connectors/binance.yml": "encrypted keys",
        "root/conf/.password_verification": "verification",
        "root/conf/conf_client.yml": "mqtt_password: broker-secret",
    }.items():
        file = bot / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return bot


def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as opened:
        return {member.name for member in opened if member.isfile()}


def test_an_archive_says_which_strategy_and_when(tmp_path: Path) -> None:
    packed = pack(bot_folder(tmp_path), tmp_path / "archive", "mm", NOW)

    assert packed == tmp_path / "archive" / "mm-20261123T200506Z.tar.gz"
    assert packed.stat().st_mode & 0o077 == 0


def test_it_holds_logs_trades_and_config_but_no_secret(tmp_path: Path) -> None:
    packed = pack(bot_folder(tmp_path), tmp_path / "archive", "mm", NOW)

    assert names(packed) == {
        "mm/bot.json",
        "mm/output.log",
        "mm/root/logs/logs_mm.log",
        "mm/root/data/mm.sqlite",
        "mm/root/conf/strategies/mm.yml",
    }


def test_two_archives_of_one_second_are_two(tmp_path: Path) -> None:
    first, second = (pack(bot_folder(tmp_path), tmp_path / "archive", "mm", NOW) for _ in range(2))

    assert second.name == "mm-20261123T200506Z-2.tar.gz"
    assert first.exists()


def test_the_folder_is_gone_once_it_is_packed(tmp_path: Path) -> None:
    bot = bot_folder(tmp_path)

    packed = pack_and_remove(bot, tmp_path / "archive", "mm")

    assert packed is not None
    assert "mm/root/data/mm.sqlite" in names(packed)
    assert not bot.exists()


def test_nothing_kept_gives_no_archive(tmp_path: Path) -> None:
    assert pack_and_remove(tmp_path / "bots" / "mm", tmp_path / "archive", "mm") is None
    assert not (tmp_path / "archive").exists()


def test_what_cannot_be_archived_is_not_removed(tmp_path: Path) -> None:
    bot = bot_folder(tmp_path)
    (tmp_path / "archive").write_text("a file where the folder should be")

    with pytest.raises(OSError, match="archive"):
        pack_and_remove(bot, tmp_path / "archive", "mm")

    assert (bot / "root/data/mm.sqlite").exists()


def test_what_is_no_plain_file_does_not_stop_an_archive(tmp_path: Path) -> None:
    bot = bot_folder(tmp_path)
    os.mkfifo(bot / "root/data/pipe")
    (bot / "root/logs/latest.log").symlink_to(bot / "root/logs/nowhere")

    packed = pack(bot, tmp_path / "archive", "mm", NOW)

    assert "mm/root/logs/logs_mm.log" in names(packed)


def test_what_an_agent_left_that_was_killed_while_packing_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "mm-20261123T200506Z.tar.part").write_text("half")

    packed = pack(bot_folder(tmp_path), tmp_path / "archive", "mm", NOW)

    assert [file.name for file in (tmp_path / "archive").iterdir()] == [packed.name]


# Room.


def test_a_start_without_room_is_refused_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(
        CommandRejected, match=r"MiB left, less than the 1099511627776 MiB that a start needs"
    ):
        check_room(tmp_path, 1 << 60)


def test_with_room_nothing_is_said(tmp_path: Path) -> None:
    check_room(tmp_path, 1)


def test_a_file_is_rotated_under_the_hands_of_who_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    with log.open("a") as writer:
        for round_number in range(4):
            writer.write(f"round {round_number}")
            writer.flush()
            assert rotate(log, 3, kept=2)

    assert log.read_text() == ""
    assert (tmp_path / "output.log.1").read_text() == "round 3"
    assert (tmp_path / "output.log.2").read_text() == "round 2"
    assert not (tmp_path / "output.log.3").exists()


def test_a_small_file_and_a_missing_one_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("abc")

    assert not rotate(tmp_path / "output.log", 3, kept=2)
    assert not rotate(tmp_path / "missing.log", 3, kept=2)


def test_the_oldest_logs_go_first_and_the_newest_stays(tmp_path: Path) -> None:
    for age, name in enumerate(["c.log", "b.log", "a.log"]):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1000 + age, 1000 + age))

    assert [path.name for path in prune(tmp_path, 250)] == ["c.log"]
    assert [path.name for path in prune(tmp_path, 10)] == ["b.log"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


# Records.


def test_what_is_written_down_is_read_again(tmp_path: Path) -> None:
    directory = BotDirectory(tmp_path / "bots" / "mm")
    record = BotRecord(strategy=strategy(), identity=ProcessIdentity(1, 2, "boot"), ran=True, crashes=2)

    directory.write(record)

    assert directory.read() == record
    assert [found.name for found in bot_directories(tmp_path / "bots")] == ["mm"]


def test_a_record_of_the_first_version_is_read(tmp_path: Path) -> None:
    record = BotRecord(
        strategy=strategy(), identity=ProcessIdentity(1, 2, "boot"), crashes=2, shutdown_reason="broken"
    )
    BotDirectory(tmp_path).write(record)

    written = msgspec.json.decode((tmp_path / "bot.json").read_bytes())

    assert written.keys() == {"strategy", "birth", "ran", "paused", "crashes", "doom"}
    assert written["birth"] == {"pid": 1, "started": 2, "boot": "boot"}
    assert written["doom"] == "broken"
    assert BotDirectory(tmp_path).read() == record


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    directory = BotDirectory(tmp_path / "mm")
    directory.write(BotRecord(strategy=strategy()))

    assert (directory.folder / "bot.json").stat().st_mode & 0o077 == 0
    assert directory.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"strategy": 1}'])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "bot.json").write_text(text)

    assert BotDirectory(tmp_path).read() is None


def test_a_write_that_was_cut_off_leaves_the_former_one(tmp_path: Path) -> None:
    directory = BotDirectory(tmp_path)
    directory.write(BotRecord(strategy=strategy()))
    (tmp_path / ".bot.json.new").write_text("ha")

    assert directory.read() == BotRecord(strategy=strategy())
    directory.write(BotRecord(strategy=strategy(), crashes=1))
    assert directory.read() == BotRecord(strategy=strategy(), crashes=1)


def test_without_a_folder_there_are_no_bots(tmp_path: Path) -> None:
    assert list(bot_directories(tmp_path / "nowhere")) == []


# Trades.


def open_orders(file: Path) -> tuple[OpenOrder, ...] | None:
    trades = TradeHistory(file)
    trades.apply(trades.read())
    return trades.open_orders


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "mm.sqlite")


def test_fills_are_read_with_their_prices_and_fees(database: Database) -> None:
    database.fill("t1", "BUY", price="60000.5", amount="0.01", fee="0.6")
    trades = TradeHistory(database.file)

    trades.apply(trades.read())

    (held,) = trades.holdings.values()
    assert (held.amount, held.breakeven_price, held.fees_quote) == (
        Decimal("0.01"),
        Decimal("60000.5"),
        Decimal("0.6"),
    )


def test_a_second_look_takes_only_what_is_new(database: Database) -> None:
    trades = TradeHistory(database.file)
    database.fill("t1", "BUY", price="100", amount="1")
    trades.apply(trades.read())
    trades.apply(trades.read())
    database.fill("t2", "SELL", price="110", amount="1")
    trades.apply(trades.read())

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
    trades = TradeHistory(database.file, lock_timeout_s=0.01)
    blocker = sqlite3.connect(database.file, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    trades.apply(trades.read())
    assert trades.holdings == {}

    blocker.execute("ROLLBACK")
    blocker.close()
    trades.apply(trades.read())

    assert len(trades.holdings) == 1


def test_reading_changes_nothing(database: Database) -> None:
    database.order("o1", "BuyOrderCreated")
    before = database.file.read_bytes()

    TradeHistory(database.file).read()

    assert database.file.read_bytes() == before
