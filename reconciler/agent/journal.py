"""
What an agent must not forget, in one SQLite file that one process holds.

Rule 1: everything decided in one turn of the loop is one transaction; no answer leaves before it.
Rule 2: written means handed to the operating system: it survives `kill -9`, not the loss of power
(SQLite: WAL with synchronous=NORMAL). After that the controller's next look puts things right.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.agent.idempotency import CachedReply
from reconciler.agent.model import Strategy
from reconciler.errors import StoreError
from reconciler.protocol.canonical import wire_json
from reconciler.protocol.times import SKEW

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


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier life left. `nonces`: request ids that were taken, and when their commands expire."""

    strategies: tuple[Strategy, ...] = ()
    answers: tuple[tuple[str, CachedReply], ...] = ()
    nonces: tuple[tuple[str, datetime], ...] = ()
    epoch: int = 0


class Entry(msgspec.Struct, kw_only=True):
    """What one turn changed. A strategy that is None is gone; an epoch of 0 is the one before."""

    strategies: dict[str, Strategy | None] = {}
    answers: dict[str, CachedReply] = {}
    forgotten: list[str] = []
    nonces: dict[str, datetime] = {}
    epoch: int = 0

    def __bool__(self) -> bool:
        return bool(self.strategies or self.answers or self.forgotten or self.nonces or self.epoch)


class Journal:
    """The file in `folder`, open and locked until `close`.

    Raises:
        StoreError: another agent holds the folder, or it cannot be written or read.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = _lock(folder)
        try:
            self._db = _open(folder / "agent.db")
        except BaseException:
            os.close(self._lock)
            raise

    def load(self, now: datetime) -> Remembered:
        """Read everything that still counts at `now`.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return self._load(now)
        except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"the agent's state cannot be read: {error}") from error

    def _load(self, now: datetime) -> Remembered:
        read = self._db.execute
        self._forget_expired(now)
        highest = read("SELECT highest FROM epoch").fetchone()
        strategies = (_strategy.decode(body) for (body,) in read("SELECT body FROM strategies ORDER BY name"))
        answers = read("SELECT key, body FROM answers ORDER BY at")
        nonces = read("SELECT request_id, expires_at FROM nonces")
        return Remembered(
            strategies=tuple(strategy.having(doing=None) for strategy in strategies),
            answers=tuple((key, _answer.decode(body)) for key, body in answers),
            nonces=tuple((request_id, datetime.fromtimestamp(end, UTC)) for request_id, end in nonces),
            epoch=highest[0] if highest else 0,
        )

    def write(self, entry: Entry) -> None:
        """Write one turn, all of it or nothing.

        Raises:
            StoreError: it cannot be written; what was decided must not be answered.
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
            self._forget_expired(now)
        except sqlite3.Error as error:
            raise StoreError(f"the agent's state cannot be written: {error}") from error

    def _forget_expired(self, now: datetime) -> None:
        self._db.execute("DELETE FROM nonces WHERE expires_at < ?", ((now - SKEW).timestamp(),))

    def _each(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        if rows:
            self._db.executemany(statement, rows)

    def close(self) -> None:
        """Close the file and let the folder go."""
        self._db.close()
        os.close(self._lock)


def read_strategies(folder: Path) -> tuple[Strategy, ...]:
    """The strategies in a folder, without taking it: for a look while an agent works there.

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
    """The process of the agent that holds a folder; empty if none does."""
    try:
        handle = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
    else:
        return ""
    finally:
        os.close(handle)


def _lock(folder: Path) -> int:
    """Take the folder for this process; the lock ends with the process, however that dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unkept(folder, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
        os.close(handle)
        raise StoreError(
            f"{folder}: another agent (process {holder or 'unknown'}) keeps its state there",
            fix="stop that agent, or give this one another name or state folder",
        ) from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(handle)
        raise _unkept(folder, error) from error
    return handle


def _unkept(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{folder}: the agent's state cannot be kept there: {error.strerror}",
        fix="free disk space, mend the folder's rights, or name another one with --state-dir",
    )


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            _prepare(db, path)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(f"{path}: the agent's state cannot be opened: {error}") from error
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    layout = db.execute("PRAGMA user_version").fetchone()[0]
    if layout > _LAYOUT:
        raise StoreError(
            f"{path}: written by a newer version of the agent (layout {layout}, known: {_LAYOUT})"
        )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    db.executescript(_TABLES)
    db.execute(f"PRAGMA user_version = {_LAYOUT}")
