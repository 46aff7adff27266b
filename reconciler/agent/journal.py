"""
The state of an agent that survives its process, in one SQLite file that one process holds.

Rule 1: everything decided in one turn of the loop is one transaction; no reply leaves before it.
Rule 2: written means handed to the operating system: it survives `kill -9`, not a loss of power (SQLite: WAL with
synchronous=NORMAL). After that the controller's next pass corrects what differs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.agent.model import CachedReply, Entry, SavedState, Strategy
from reconciler.errors import StoreError
from reconciler.files import FileLock, FileLocked, lock_holder
from reconciler.protocol.canonical import wire_json
from reconciler.protocol.times import SKEW

_LOCK = "lock"
_LAYOUT = 1
"""Number of the tables below (PRAGMA user_version); a file with a higher one is of a newer version."""

_LOG_PAGES = 10_000
"""Pages of 4 KiB that the log may have before it is merged into the file, which waits for the disk."""

_TABLES = """
CREATE TABLE IF NOT EXISTS strategies (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nonces (request_id TEXT PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epoch (only INTEGER PRIMARY KEY CHECK (only = 1), highest INTEGER NOT NULL);
"""

_strategy = msgspec.json.Decoder(Strategy, float_hook=Decimal)
_answer = msgspec.json.Decoder(CachedReply, float_hook=Decimal)


class Journal:
    """The file `agent.db` in `folder`, open and locked until `close`.

    Raises:
        StoreError: another agent holds the folder, or it cannot be written or read.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "agent.db"
        with contextlib.ExitStack() as on_failure:
            self._lock = FileLock(folder / _LOCK)
            on_failure.callback(self._lock.close)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
            except FileLocked as error:
                raise StoreError(
                    f"{folder}: another agent (process {error.holder}) keeps its state there",
                    fix="stop that agent, or give this one another name or state folder",
                ) from error
            except OSError as error:
                raise StoreError(
                    f"{folder}: the agent's state cannot be kept there: {error.strerror}",
                    fix="free disk space, fix the folder's permissions, or name another one with --state-dir",
                ) from error
            try:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
                on_failure.callback(self._db.close)
                layout = self._db.execute("PRAGMA user_version").fetchone()[0]
                if layout > _LAYOUT:
                    raise StoreError(
                        f"{path}: written by a newer version of the agent (layout {layout}, known: {_LAYOUT})"
                    )
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
                self._db.executescript(_TABLES)
                self._db.execute(f"PRAGMA user_version = {_LAYOUT}")
            except sqlite3.Error as error:
                raise StoreError(f"{path}: the agent's state cannot be opened: {error}") from error
            on_failure.pop_all()

    def load(self, now: datetime) -> SavedState:
        """Read everything that still counts at `now`.

        Raises:
            StoreError: it cannot be read.
        """
        read = self._db.execute
        try:
            self._expire_nonces(now)
            highest = read("SELECT highest FROM epoch").fetchone()
            bodies = read("SELECT body FROM strategies ORDER BY name")
            answers = read("SELECT key, body FROM answers ORDER BY at")
            nonces = read("SELECT request_id, expires_at FROM nonces")
            return SavedState(
                strategies=tuple(_strategy.decode(body).having(doing=None) for (body,) in bodies),
                answers=tuple((key, _answer.decode(body)) for key, body in answers),
                nonces=tuple((request_id, datetime.fromtimestamp(end, UTC)) for request_id, end in nonces),
                epoch=highest[0] if highest else 0,
            )
        except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"the agent's state cannot be read: {error}") from error

    def write(self, entry: Entry) -> None:
        """Write what one turn changed, all of it or nothing.

        Raises:
            StoreError: it cannot be written; what was decided must not be published.
        """
        kept = [(name, wire_json(strategy)) for name, strategy in entry.strategies.items() if strategy]
        gone = [(name,) for name, strategy in entry.strategies.items() if strategy is None]
        answers = [(key, answer.at, wire_json(answer)) for key, answer in entry.answers.items()]
        nonces = [(request_id, end.timestamp()) for request_id, end in entry.nonces.items()]
        try:
            self._db.execute("BEGIN")
            self._each("INSERT OR REPLACE INTO strategies VALUES (?, ?)", kept)
            self._each("DELETE FROM strategies WHERE name = ?", gone)
            self._each("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", answers)
            self._each("DELETE FROM answers WHERE key = ?", [(key,) for key in entry.forgotten])
            self._each("INSERT OR REPLACE INTO nonces VALUES (?, ?)", nonces)
            self._each("INSERT OR REPLACE INTO epoch VALUES (1, ?)", [(entry.epoch,)] if entry.epoch else [])
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"the agent's state cannot be written: {error}") from error

    def tidy(self, now: datetime) -> None:
        """Drop request ids whose commands are refused for their age by now.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self._expire_nonces(now)
        except sqlite3.Error as error:
            raise StoreError(f"the agent's state cannot be written: {error}") from error

    def _expire_nonces(self, now: datetime) -> None:
        self._db.execute("DELETE FROM nonces WHERE expires_at < ?", ((now - SKEW).timestamp(),))

    def _each(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        if rows:
            self._db.executemany(statement, rows)

    def close(self) -> None:
        """Close the file and release the folder."""
        self._db.close()
        self._lock.close()


def read_strategies(folder: Path) -> tuple[Strategy, ...]:
    """Read the strategies in a folder without locking it: an agent may be running there.

    Raises:
        StoreError: they cannot be read.
    """
    path = folder / "agent.db"
    if not path.exists():
        return ()
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT body FROM strategies ORDER BY name").fetchall()
        return tuple(_strategy.decode(body) for (body,) in found)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise StoreError(f"{path}: the agent's state cannot be read: {error}") from error


def holder_of(folder: Path) -> str:
    """Return the process id of the agent that holds a folder, as text; empty if none does."""
    return lock_holder(folder / _LOCK)
