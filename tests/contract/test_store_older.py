"""What an older version kept in its state file is read whole, and written back as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.errors import Location
from reconciler.model.change import Op
from reconciler.model.spec import Key, StrategySpec, Suspend, Wish
from reconciler.model.state import Desired, InventoryEntry
from reconciler.store.sqlite import open_store

OLD_STATE = Path(__file__).parents[1] / "cases" / "state" / "state-7a9e9e0.sql"
"""All that a store of version 7a9e9e0 kept, written by its own code."""


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


@pytest.fixture
def old_store(file: str):
    with closing(sqlite3.connect(file)) as database:
        database.executescript(OLD_STATE.read_text())
    with closing(open_store(file)) as store:
        yield store


def test_what_an_older_version_knew_of_itself_and_its_strategies_is_read(old_store) -> None:
    maker = InventoryEntry(
        target="default",
        name="maker",
        strategy_type="pure_market_making",
        exchange="binance",
        trading_pair="BTC-USDT",
        config={
            "bid_spread": Decimal("0.10"),
            "ask_spread": 1,
            "order_amount": Decimal("1e-7"),
            "order_levels": [1, Decimal("2.50")],
            "hanging": True,
            "note": None,
        },
        spec_hash="sha256:" + "1" * 64,
        account="main",
        commit="a" * 40,
        wave=2,
        protect=True,
        reached=Wish.RUNNING,
    )
    claimed = InventoryEntry(
        target="eu",
        name="maker",
        strategy_type="pure_market_making",
        exchange="kucoin",
        trading_pair="ETH-USDT",
        config={},
        spec_hash="sha256:" + "2" * 64,
        commit="b" * 40,
        retry=True,
        claims=(
            ("pure_market_making", "kucoin", "ETH-USDT"),
            ("pure_market_making", "kucoin", "ETH-USDC"),
        ),
    )

    assert old_store.inventory() == {maker.key: maker, claimed.key: claimed}
    assert str(old_store.inventory()[maker.key].config["bid_spread"]) == "0.10"
    assert old_store.controller_id == "7d512d7719ce34d5897eaca6b33bf370"
    assert old_store.epoch == 5_000_000_000_001
    assert old_store.keep_root("eu", "elsewhere") == "desk/eu"
    with old_store.applying(0.0) as others:
        assert others


def test_what_an_older_version_sent_and_reported_is_known(old_store) -> None:
    created = old_store.key_for(Key("eu", "maker"), Op.CREATE, "sha256:" + "2" * 64)
    updated = old_store.key_for(Key("default", "maker"), Op.UPDATE, "sha256:" + "3" * 64)
    marks = ("blocked|default/maker:NOT_OURS", "source_lost|git", "failed|eu/maker:create:BUSY", "new")

    assert (created, updated) == ("3eee33940be0df9adb7eda2100000001", "3eee33940be0df9adb7eda2100000002")
    assert [old_store.report_once(mark) for mark in marks] == [False, False, False, True]


def test_the_last_good_revision_of_an_older_version_is_read(old_store) -> None:
    paused = StrategySpec(
        name="maker",
        strategy_type="pure_market_making",
        exchange="binance",
        trading_pair="BTC-USDT",
        config={"bid_spread": Decimal("0.10"), "order_levels": [1, Decimal("2.50")]},
        state=Wish.PAUSED,
        account="main",
        labels={"team": "mm"},
        description="quotes",
        owner="ann",
        wave=2,
        protect=True,
        suspend=Suspend("holiday", "2026-12-24T00:00:00Z"),
        ignore_drift=("config.bid_spread",),
        adopt=True,
        location=Location("strategies/maker.yaml", 3, 1),
    )
    plain = StrategySpec(
        name="maker",
        target="eu",
        strategy_type="pure_market_making",
        exchange="kucoin",
        trading_pair="ETH-USDT",
        config={},
        location=Location("strategies/eu.yaml"),
    )

    assert old_store.last_good() == Desired(
        "b" * 40,
        "main",
        {paused.key: paused, plain.key: plain},
        frozenset({Key("eu", "held")}),
        unsure=True,
    )


def test_what_is_written_into_an_older_file_has_its_form(old_store, file: str) -> None:
    """A put of what was read changes no byte: an older program reads what a newer one wrote."""

    def rows() -> set[tuple[str, str, bytes]]:
        with closing(sqlite3.connect(file)) as database:
            kept = database.execute(
                "SELECT kind, name, value FROM rows UNION SELECT 'wish', name, value FROM wishes"
            )
            return set(kept)

    before, desired = rows(), old_store.last_good()
    for entry in list(old_store.inventory().values()):
        old_store.put(entry)
    old_store.keep_last_good(Desired(desired.commit, desired.ref, {}))
    old_store.keep_last_good(desired)

    assert rows() == before
