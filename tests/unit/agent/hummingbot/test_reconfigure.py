"""What is sent to a bot against what it runs with, and what is written down of it (reconfigure.py, directory.py)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.agent.hummingbot.directory import BotDirectory, BotRecord, bot_directories
from reconciler.agent.hummingbot.health import brake_in
from reconciler.agent.hummingbot.process import ProcessIdentity
from reconciler.agent.hummingbot.reconfigure import changed_fields, is_controller, is_same, not_taken
from reconciler.catalog.loading import load_catalog
from tests.support.agent_builders import CONFIG, strategy

SAME = [
    (Decimal("0.10"), 0.1),
    ("0.1", Decimal("0.10")),
    (0.1 + 0.2, "0.3"),
    (True, "True"),
    (None, ""),
    ("0.01,0.02", [0.01, Decimal("0.02")]),
    ("", []),
    ({"a": 1, "b": [2]}, {"b": ["2"], "a": Decimal(1)}),
]
OTHER = [
    (0.1, 0.11),
    (True, 1),
    (None, 0),
    ("0.01", "0.01,0.02"),
    ({"a": 1}, {"a": 1, "b": 2}),
    ("BUY", "SELL"),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=str)
def test_values_that_mean_the_same_are_no_change(one: object, other: object) -> None:
    assert is_same(one, other)
    assert is_same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER, ids=str)
def test_values_that_mean_something_else_are_one(one: object, other: object) -> None:
    assert not is_same(one, other)
    assert not is_same(other, one)


def test_only_what_changes_is_sent() -> None:
    after = strategy().configured({**CONFIG, "bid_spread": Decimal("0.3"), "ask_spread": Decimal("0.10")})

    assert changed_fields(load_catalog(), strategy(), after) == {"bid_spread": Decimal("0.3")}


def test_a_field_that_is_left_out_goes_back_to_its_default() -> None:
    before = strategy().configured({**CONFIG, "order_levels": 3})

    assert changed_fields(load_catalog(), before, strategy()) == {"order_levels": 1}


def test_what_a_bot_does_not_run_with_is_named_with_both_values() -> None:
    wanted = {"bid_spread": Decimal("0.3"), "ask_spread": 1, "order_levels": 2}

    assert not_taken(wanted, {"bid_spread": 0.1, "ask_spread": 1.0}) == [
        "bid_spread is 0.1, not 0.3",
        "order_levels is not told",
    ]


def test_controllers_are_told_from_other_strategies() -> None:
    assert not is_controller(load_catalog(), strategy())
    assert is_controller(load_catalog(), strategy(strategy_type="pmm_simple"))


# What is written down.


def test_what_is_written_down_is_read_again(tmp_path: Path) -> None:
    directory = BotDirectory(tmp_path / "bots" / "mm")
    record = BotRecord(strategy=strategy(), identity=ProcessIdentity(1, 2, "boot"), ran=True, crashes=2)

    directory.write(record)

    assert directory.read() == record
    assert [found.name for found in bot_directories(tmp_path / "bots")] == ["mm"]


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


# Brakes.


@pytest.mark.parametrize(
    "message",
    [
        "Kill switch threshold reached. Stopping the bot...",
        "Global drawdown reached. Stopping the strategy.",
        "Controller mm reached max drawdown. Stopping the controller.",
    ],
)
def test_what_a_bot_logs_when_it_reaches_its_limit_is_known(message: str) -> None:
    assert brake_in(f"{message}\n") == message


def test_other_words_are_no_limit() -> None:
    assert brake_in("Strategy stopped successfully") == ""
