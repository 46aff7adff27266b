"""One suite over every place that a store is kept in: what it remembers, also over a restart or a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.errors import Location, StoreBusy, StoreError
from reconciler.model.change import Op
from reconciler.model.spec import Key, StrategySpec, Suspend, Wish
from reconciler.model.state import Desired
from reconciler.store.database import FORMAT
from reconciler.store.sqlite import SqliteStore, open_store
from tests.support.plan_builders import entry_of

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


def test_a_root_holds_as_long_as_strategies_below_it_are_ours(store) -> None:
    assert store.keep_root("default", "hummingbot") == "hummingbot"
    assert store.keep_root("default", "other") == "other"
    store.put(entry_of(spec(), "c"))

    assert store.keep_root("default", "hummingbot") == "other"
    assert store.keep_root("second", "hummingbot") == "hummingbot"

    store.forget(BTC)
    assert store.keep_root("default", "hummingbot") == "hummingbot"


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


def test_what_was_reported_is_not_reported_again(store) -> None:
    assert store.report_once("blocked|btc")
    assert not store.report_once("blocked|btc")
    assert store.retract("blocked|btc")
    assert not store.retract("blocked|btc")


def test_only_what_stands_under_a_prefix_is_forgotten(store) -> None:
    for mark in ("blocked|a", "blocked|b", "failed|a"):
        store.report_once(mark)

    store.keep_reported("blocked|", {"blocked|b"})

    assert [store.report_once(mark) for mark in ("blocked|a", "blocked|b", "failed|a")] == [
        True,
        False,
        False,
    ]


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
    desired = Desired("c0ffee", "main", {full.key: full}, held=frozenset({Key("eu", "x")}), unsure=True)

    store.keep_last_good(desired)

    assert store.last_good() == desired


def test_a_new_store_knows_no_revision(store) -> None:
    assert store.last_good() is None


def test_everything_outlives_the_process(file: str) -> None:
    store = open_store(file)
    entry = entry_of(spec(), "c", reached=True)
    store.put(entry)
    key = store.key_for(BTC, Op.START, "h")
    store.report_once("x")
    epoch, controller = store.take_epoch(), store.controller_id

    store = reopened(store, file)

    assert store.inventory()[BTC] == entry
    assert isinstance(store.inventory()[BTC].config["bid_spread"], Decimal)
    assert store.key_for(BTC, Op.START, "h") == key
    assert not store.report_once("x")
    assert (store.epoch, store.controller_id) == (epoch, controller)
    store.close()


def test_what_was_flushed_survives_a_kill(file: str) -> None:
    program = (
        "import sys, time; from reconciler.store.sqlite import open_store; from reconciler.model.change import Op;"
        "from reconciler.model.spec import Key; s = open_store(sys.argv[1]);"
        "key = s.key_for(Key('default', 'btc'), Op.START, 'h'); s.flush(); print(key, flush=True); time.sleep(60)"
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


def test_applying_after_another_process_is_noticed(file: str) -> None:
    ours, theirs = open_store(file), open_store(file)
    others_seen = []
    for store in (ours, ours, theirs, ours):
        with store.applying(0.0) as others:
            others_seen.append(others)

    assert others_seen == [True, False, True, True]
    ours.close()
    theirs.close()


def test_a_file_that_is_no_store_is_refused_with_a_fix(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"not a database, but long enough to be read as one" * 100)

    with pytest.raises(StoreError, match="cannot be used") as error:
        open_store(str(file))

    assert "move the file aside" in error.value.fix


def test_a_store_with_no_room_for_it_is_not_to_be_moved_aside(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open") as error:
        open_store(str(tmp_path))

    assert "free disk space" in error.value.fix
    assert "aside" not in error.value.fix


def test_a_lock_that_cannot_be_written_is_no_other_process_to_wait_for(file: str) -> None:
    store = open_store(file)
    Path(f"{file}.lock").mkdir()

    with pytest.raises(StoreError, match="cannot be locked") as error, store.applying(0.0):
        pass

    assert not isinstance(error.value, StoreBusy)
    store.close()


def test_a_store_of_a_newer_program_is_refused(file: str) -> None:
    open_store(file).close()
    database = sqlite3.connect(file)
    database.execute(f"PRAGMA user_version={FORMAT + 1}")
    database.close()

    with pytest.raises(StoreError, match="newer than this program"):
        open_store(file)


def test_a_database_of_another_program_is_refused_and_left_alone(file: str) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = Path(file).read_bytes()

    with pytest.raises(StoreError, match="some other program's"):
        open_store(file)

    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    assert len(Path(file).read_bytes()) == len(before)


@pytest.mark.parametrize("kind", ["inventory", "outbox"])
def test_a_row_that_is_damaged_is_an_error_with_a_way_on(file: str, kind: str) -> None:
    open_store(file).close()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO rows VALUES (?, 'x', 'nonsense')", (kind,))

    with pytest.raises(StoreError, match="cannot be used") as error:
        open_store(file)

    assert "move the file aside" in error.value.fix


def test_two_processes_that_make_a_store_at_once_are_one_controller(file: str) -> None:
    program = "import sys; from reconciler.store.sqlite import open_store; print(open_store(sys.argv[1]).controller_id)"
    children = [
        subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    assert len({child.communicate(timeout=60)[0] for child in children}) == 1


def test_a_revision_that_changes_one_strategy_writes_one(file: str) -> None:
    store = open_store(file)
    specs = {Key("default", f"s{n}"): spec(f"s{n}") for n in range(2000)}
    store.keep_last_good(Desired("c1", "main", specs))
    log = Path(f"{file}-wal")
    before = log.stat().st_size
    changed = {**specs, Key("default", "s7"): spec("s7", wave=1)}
    del changed[Key("default", "s8")]
    store.keep_last_good(Desired("c2", "main", changed))
    written = log.stat().st_size - before

    assert 0 <= written < 50_000
    store = reopened(store, file)
    assert store.last_good() == Desired("c2", "main", changed)
    store.close()


def test_the_last_good_revision_of_another_process_is_not_mixed_with_ours(file: str) -> None:
    ours, theirs = open_store(file), open_store(file)
    a, b, c = (spec(name) for name in "abc")
    ours.keep_last_good(Desired("1", "main", {a.key: a, b.key: b}))
    theirs.refresh()
    theirs.keep_last_good(Desired("2", "main", {b.key: b, c.key: c}))
    ours.refresh()
    ours.keep_last_good(Desired("3", "main", {a.key: a}))
    theirs.refresh()

    assert theirs.last_good() == Desired("3", "main", {a.key: a})
    ours.close()
    theirs.close()


def test_a_retry_asked_by_one_process_is_seen_by_the_other(file: str) -> None:
    service, person = open_store(file), open_store(file)
    service.put(entry_of(spec(), "c"))
    service.flush()

    assert person.ask_retry(BTC)
    assert service.refresh()
    assert service.inventory()[BTC].retry
    service.close()
    person.close()


def test_a_full_disk_is_an_error_and_costs_nothing_that_was_written(file: str) -> None:
    program = (
        "import resource, signal, sys; from reconciler.store.sqlite import open_store;"
        "from reconciler.errors import StoreError; s = open_store(sys.argv[1]);"
        "s.report_once('before'); s.flush();"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY));"
        "[s.report_once(f'{n:01000}') for n in range(1000)]\n"
        "try:\n    s.flush()\nexcept StoreError as error:\n    print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY));"
        "s.flush(); s.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, check=False, timeout=60
    )

    assert "the store cannot be written" in done.stdout, done.stderr
    store = open_store(file)
    assert not store.report_once("before")
    assert not store.report_once(f"{999:01000}")
    store.close()


def test_whatever_was_flushed_before_a_kill_in_the_middle_of_writing_is_there(file: str) -> None:
    program = (
        "import sys; from reconciler.store.sqlite import open_store; from reconciler.model.change import Op;"
        "from reconciler.model.spec import Key; s = open_store(sys.argv[1])\n"
        "for n in range(100_000):\n"
        "    key = s.key_for(Key('default', f's{n}'), Op.START, 'h'); s.flush(); print(n, key, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(200)]
        os.kill(child.pid, signal.SIGKILL)

    store = open_store(file)

    for number, key in (line.split() for line in lines):
        assert store.key_for(Key("default", f"s{number}"), Op.START, "h") == key
    store.close()


def test_a_lock_ends_with_the_process_that_held_it(file: str) -> None:
    program = (
        "import sys, time; from reconciler.store.sqlite import open_store; s = open_store(sys.argv[1])\n"
        "with s.applying(0.0):\n    print('held', flush=True); time.sleep(60)"
    )
    store = open_store(file)
    with subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(StoreError, match=f"pid {child.pid}"), store.applying(0.1):
            pass
        os.kill(child.pid, signal.SIGKILL)

    with store.applying(5.0) as others:
        assert others
    store.close()
