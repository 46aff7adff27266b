"""One suite over every place that a store is kept in: what it remembers, also over a restart or a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.apply import entry_of
from reconciler.errors import Location, StoreError
from reconciler.model.change import Op
from reconciler.model.spec import Key, StrategySpec, Suspend, Wish
from reconciler.model.state import Desired
from reconciler.store.sqlite import FORMAT, SqliteStore, open_store

BTC = Key("default", "btc")


def spec(name="btc", **more):
    config = {
        "bid_spread": Decimal("0.10"),
        "order_levels": 2,
        "order_override": {"a": ["buy", Decimal("1.5"), 1]},
    }
    return StrategySpec(name, "pure_market_making", "binance", "BTC-USDT", config, **more)


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path: Path) -> str:
    return ":memory:" if request.param == "memory" else str(tmp_path / "deep" / "state.db")


@pytest.fixture
def store(url: str):
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


def reopened(store: SqliteStore, file: str) -> SqliteStore:
    store.close()
    return open_store(file)


def test_a_strategy_that_is_ours_is_remembered_and_forgotten(store) -> None:
    entry = entry_of(spec(), "c0ffee", reached=True)

    store.put(entry)
    assert store.inventory()[BTC] == entry
    store.forget(BTC)
    assert BTC not in store.inventory()


def test_the_inventory_is_a_view_that_nobody_else_can_change(store) -> None:
    with pytest.raises(TypeError):
        store.inventory()[BTC] = None


def test_a_step_in_flight_keeps_its_key_until_it_is_settled(store) -> None:
    first = store.key_for(BTC, Op.START, "sha256:a")

    assert store.key_for(BTC, Op.START, "sha256:a") == first
    assert store.key_for(BTC, Op.STOP, "sha256:a") != first
    store.settle(BTC, Op.START)
    assert store.key_for(BTC, Op.START, "sha256:a") != first


def test_another_spec_is_another_step(store) -> None:
    assert store.key_for(BTC, Op.UPDATE, "sha256:a") != store.key_for(BTC, Op.UPDATE, "sha256:b")


def test_forgetting_a_strategy_forgets_its_steps(store) -> None:
    store.put(entry_of(spec(), "c"))
    before = store.key_for(BTC, Op.CREATE, "h")
    store.forget(BTC)

    assert store.key_for(BTC, Op.CREATE, "h") != before


def test_a_retry_is_asked_only_for_what_is_ours_and_ends_with_the_next_success(store) -> None:
    assert not store.ask_retry(BTC)
    store.put(entry_of(spec(), "c"))
    assert store.ask_retry(BTC)
    assert store.inventory()[BTC].retry
    store.put(entry_of(spec(), "c", reached=True))
    assert not store.inventory()[BTC].retry


def test_epochs_only_grow_and_never_fall_behind_the_clock(store) -> None:
    before = time.time_ns() // 1_000_000

    first, second = store.take_epoch(), store.take_epoch()

    assert before <= first < second == store.epoch


def test_what_was_told_is_told_once(store) -> None:
    assert store.tell_once("blocked|btc")
    assert not store.tell_once("blocked|btc")
    assert store.untell("blocked|btc")
    assert not store.untell("blocked|btc")


def test_only_what_stands_under_a_prefix_is_forgotten(store) -> None:
    for mark in ("blocked|a", "blocked|b", "failed|a"):
        store.tell_once(mark)

    store.keep_told("blocked|", {"blocked|b"})

    assert [store.tell_once(mark) for mark in ("blocked|a", "blocked|b", "failed|a")] == [True, False, False]


def test_the_last_good_revision_comes_back_whole(store) -> None:
    full = spec(
        state=Wish.PAUSED,
        labels={"a": "b"},
        wave=-1,
        protect=True,
        suspend=Suspend("r", "2026-12-24T00:00:00Z"),
        ignore_drift=("config.order_amount",),
        adopt=True,
        location=Location("s/btc.yaml", 3, 1),
    )
    desired = Desired("c0ffee", "main", {full.key: full}, held=frozenset({Key("eu", "x")}))

    store.keep_last_good(desired)

    assert store.last_good() == desired


def test_a_new_store_knows_no_revision(store) -> None:
    assert store.last_good() is None


def test_everything_outlives_the_process(file: str) -> None:
    store = open_store(file)
    entry = entry_of(spec(), "c", reached=True)
    store.put(entry)
    key = store.key_for(BTC, Op.START, "h")
    store.tell_once("x")
    epoch, controller = store.take_epoch(), store.controller_id

    store = reopened(store, file)

    assert store.inventory()[BTC] == entry
    assert isinstance(store.inventory()[BTC].config["bid_spread"], Decimal)
    assert store.key_for(BTC, Op.START, "h") == key
    assert not store.tell_once("x")
    assert (store.epoch, store.controller_id) == (epoch, controller)
    store.close()


def test_what_was_flushed_survives_a_kill(file: str) -> None:
    program = (
        "import sys, time; from reconciler.store.sqlite import open_store; from reconciler.model.change import Op;"
        "from reconciler.model.spec import Key; s = open_store(sys.argv[1]);"
        "print(s.key_for(Key('default', 'btc'), Op.START, 'h')); s.flush(); sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        key = child.stdout.readline().strip()
        os.kill(child.pid, signal.SIGKILL)

    store = open_store(file)

    assert store.key_for(BTC, Op.START, "h") == key
    store.close()


def test_what_another_process_wrote_is_taken_in(file: str) -> None:
    ours, theirs = open_store(file), open_store(file)
    assert not ours.refresh()
    theirs.put(entry_of(spec(), "c"))
    theirs.flush()

    assert ours.refresh()
    assert BTC in ours.inventory()
    ours.close()
    theirs.close()


def test_two_processes_never_apply_at_once(file: str) -> None:
    ours, theirs = open_store(file), open_store(file)

    with ours.applying(0.0), pytest.raises(StoreError, match=f"pid {os.getpid()}"), theirs.applying(0.0):
        pass

    ours.close()
    theirs.close()


def test_whoever_applies_after_another_is_told_so(file: str) -> None:
    ours, theirs = open_store(file), open_store(file)
    told = []
    for store in (ours, ours, theirs, ours):
        with store.applying(0.0) as others:
            told.append(others)

    assert told == [True, False, True, True]
    ours.close()
    theirs.close()


def test_a_file_that_is_no_store_is_refused_with_a_fix(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"not a database, but long enough to be read as one" * 100)

    with pytest.raises(StoreError, match="cannot be used") as error:
        open_store(str(file))

    assert "move the file aside" in error.value.fix


def test_a_store_of_a_newer_program_is_refused(file: str) -> None:
    import sqlite3

    open_store(file).close()
    database = sqlite3.connect(file)
    database.execute(f"PRAGMA user_version={FORMAT + 1}")
    database.close()

    with pytest.raises(StoreError, match="newer than this program"):
        open_store(file)
