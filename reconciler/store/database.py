"""
The store's SQLite file: opening it, its format, its transactions, its table of specs.

WAL with `synchronous=NORMAL`: a commit is one write to the log, some 15 µs, and no wait for the disk. What is
committed survives a kill -9. A loss of power may cost the last moments; what the bots report then decides, as
after any lost message.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.errors import StoreError
from reconciler.model.spec import Key, StrategySpec

FORMAT = 1
"""Of the file; a newer one is refused, since an older program would misread it."""

APPLICATION_ID = 0x7265636F
"""Says that a SQLite file is ours (`PRAGMA application_id`): "reco"."""

BUSY_TIMEOUT_S = 5.0

LOG_PAGES = 10_000
"""Pages of 4 KiB that the log may have before it is merged into the file, which waits for the disk; SQLite's 1,000
make a fleet's creation wait several times."""

_SCHEMA = (
    """CREATE TABLE rows (
         kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name)
       ) WITHOUT ROWID""",
    "CREATE TABLE wishes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id={APPLICATION_ID}",
    f"PRAGMA user_version={FORMAT}",
)

_UNUSABLE = (sqlite3.Error, OSError, msgspec.MsgspecError)


def connect(path: Path | None) -> sqlite3.Connection:
    """Open or make the file at `path`; None for one in memory.

    Raises:
        StoreError: it cannot be opened, is no store of ours, or is of a newer format.
    """
    with usable(path):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
            with transaction(database):
                _make_or_check(database)
        except BaseException:
            database.close()
            raise
        return database


@contextlib.contextmanager
def usable(path: Path | None) -> Iterator[None]:
    """Whatever goes wrong with the file within the block is a StoreError with its fix."""
    try:
        yield
    except _UNUSABLE as error:
        is_whole = isinstance(error, sqlite3.OperationalError | OSError)  # the file is not what is wrong
        raise StoreError(
            f"{path or ':memory:'}: the store cannot be used: {error}",
            fix="free disk space, fix the file's permissions, or set store.url to another place"
            if is_whole
            else "move the file aside; ownership is learned again from what the bots echo",
        ) from error


def _make_or_check(database: sqlite3.Connection) -> None:
    """In one transaction, so that of two processes that start at once one makes it and one finds it."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and tables:
        raise sqlite3.DatabaseError("it is some other program's database")
    if version > FORMAT:
        raise sqlite3.DatabaseError(f"its format {version} is newer than this program's {FORMAT}")
    if version == 0:
        for statement in _SCHEMA:
            database.execute(statement)


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what the block writes.

    Raises:
        StoreError: it cannot be written; nothing was.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        _roll_back(database)
        raise StoreError(
            f"the store cannot be written: {error}", fix="free disk space, or fix the file's permissions"
        ) from error
    except BaseException:
        _roll_back(database)
        raise


def _roll_back(database: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        database.execute("ROLLBACK")


_spec_decoder = msgspec.json.Decoder(StrategySpec, float_hook=Decimal)
_spec_encoder = msgspec.json.Encoder(decimal_format="number")


class SpecTable:
    """The specs of the last good revision, one row each: a commit that changes one of 10,000 strategies writes one row.

    The table is called `wishes`. The caller holds the transaction. Rows are read once; later a process knows what it kept.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._kept: dict[Key, StrategySpec] | None = None

    def read(self) -> dict[Key, StrategySpec]:
        """All of them."""
        if self._kept is None:
            rows = self._database.execute("SELECT value FROM wishes ORDER BY name")
            specs = (_spec_decoder.decode(value) for (value,) in rows)
            self._kept = {spec.key: spec for spec in specs}
        return dict(self._kept)

    def write(self, specs: Mapping[Key, StrategySpec]) -> None:
        """Keep `specs` and no others."""
        before = self.read()
        changed = [
            spec for key, spec in specs.items() if (old := before.get(key)) is not spec and old != spec
        ]
        gone = [(row_name(key),) for key in before.keys() - specs.keys()]
        self._database.executemany("DELETE FROM wishes WHERE name = ?", gone)
        self._database.executemany(
            "INSERT OR REPLACE INTO wishes VALUES (?, ?)",
            ((row_name(spec.key), _spec_encoder.encode(spec)) for spec in changed),
        )
        self._kept = dict(specs)

    def forget_kept(self) -> None:
        """Another process may have written, or the transaction was rolled back: read again next time."""
        self._kept = None


def row_name(key: Key) -> str:
    """What a strategy's rows are called."""
    return f"{key.target}/{key.name}"
