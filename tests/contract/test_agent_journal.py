"""What an agent writes down is what it reads after a crash, and no other agent writes there."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.agent.journal import Journal
from reconciler.agent.model import CachedReply, Entry, SavedState
from reconciler.agent.responses import done
from reconciler.errors import StoreError
from reconciler.model.change import Op
from reconciler.model.spec import Wish
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.messages import StatusMeta
from tests.support.agent_builders import CONFIG, strategy

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
OLD_STATE = Path(__file__).parents[1] / "cases" / "state" / "agent-7a9e9e0.sql"


def reopened(folder: Path, now: datetime = NOW) -> SavedState:
    with closing(Journal(folder)) as journal:
        return journal.load(now)


def write(folder: Path, entry: Entry) -> None:
    with closing(Journal(folder)) as journal:
        journal.write(entry)


def test_a_new_folder_remembers_nothing(tmp_path: Path) -> None:
    assert reopened(tmp_path / "not" / "yet") == SavedState()


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = strategy(
        Lifecycle.ERROR,
        wish=Wish.RUNNING,
        message="crashed",
        conditions=(Condition("OrdersMayBeOpen"),),
        echo=StatusMeta(owner="us", commit="c", epoch=7),
        config={**CONFIG, "list": [1, Decimal("1.50"), {"a": None}], "big": 10**30},
    )
    answer = CachedReply(Op.START, "mm", done(Op.START, "mm", "17", "sha256:x"), NOW.timestamp())
    entry = Entry(strategies={"mm": kept}, answers={"k": answer}, nonces={"r": NOW}, epoch=7)

    write(tmp_path, entry)

    assert reopened(tmp_path) == SavedState(
        strategies=(kept,), answers=(("k", answer),), nonces=(("r", NOW),), epoch=7
    )


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    write(tmp_path, Entry(strategies={"mm": strategy(config={"x": Decimal("0.10000000000000000001")})}))

    assert str(reopened(tmp_path).strategies[0].config["x"]) == "0.10000000000000000001"


def test_what_a_runner_was_busy_with_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path, Entry(strategies={"mm": strategy(doing=Op.START)}))

    assert reopened(tmp_path).strategies[0].doing is None


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    answer = CachedReply(Op.START, "mm", done(Op.START, "mm", "17", None), NOW.timestamp())
    write(tmp_path, Entry(strategies={"mm": strategy()}, answers={"k": answer}))

    write(tmp_path, Entry(strategies={"mm": None}, forgotten=["k"]))

    assert reopened(tmp_path) == SavedState()


def test_request_ids_are_forgotten_when_their_commands_have_expired(tmp_path: Path) -> None:
    write(tmp_path, Entry(nonces={"old": NOW, "new": NOW + timedelta(hours=1)}))

    assert [name for name, _ in reopened(tmp_path, NOW + timedelta(minutes=30)).nonces] == ["new"]


def test_a_second_agent_is_refused_with_the_holder_of_the_folder(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)), pytest.raises(StoreError, match=f"process {os.getpid()}") as caught:
        Journal(tmp_path)

    assert "state folder" in caught.value.fix


def test_a_folder_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    Journal(tmp_path).close()

    Journal(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="cannot be kept there"):
        Journal(tmp_path / "file" / "below")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "agent.db")) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(StoreError, match="newer version"):
        Journal(tmp_path)


def test_what_an_older_version_kept_is_read_and_written_back_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "agent.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(OLD_STATE.read_text())
    with closing(sqlite3.connect(file)) as db:
        before = list(db.iterdump())

    with closing(Journal(tmp_path)) as journal:
        saved = journal.load(NOW)
        strategies = {strategy.name: strategy for strategy in saved.strategies}
        busy = strategies["busy"].having(doing=Op.START)
        journal.write(
            Entry(strategies={**strategies, "busy": busy}, answers=dict(saved.answers), epoch=saved.epoch)
        )

    assert strategies["mm"].echo == StatusMeta(owner="o1", commit="c0ffee", epoch=3)
    assert strategies["mm"].conditions == (Condition("OrdersMayBeOpen", reason="StopFailed"),)
    assert (strategies["mm"].state, strategies["mm"].account) == (Lifecycle.ERROR, "main")
    assert strategies["busy"].wish is Wish.RUNNING
    assert strategies["busy"].doing is None, "what a runner was busy with ended with its process"
    assert saved.answers[0][1].reply.ok
    assert saved.nonces == (("r1", NOW + timedelta(hours=1)),)
    with closing(sqlite3.connect(file)) as db:
        assert list(db.iterdump()) == before


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "agent.db").write_bytes(b"this is no database at all" * 100)

    with pytest.raises(StoreError, match="cannot be opened"):
        Journal(tmp_path)
