"""The store in SQLite: read once, held in memory, written behind in short transactions."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from reconciler.errors import StoreBusy, StoreError
from reconciler.files import FileLock, FileLocked
from reconciler.model.change import Op
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Inventory, InventoryEntry
from reconciler.protocol.correlation import Identifiers
from reconciler.store.database import SpecTable, connect, row_name, transaction, usable

INVENTORY, OUTBOX, REPORTED, FACT = "inventory", "outbox", "told", "fact"
"""Kinds of rows, as the file has them."""


class _InFlight(msgspec.Struct, frozen=True):
    spec_hash: str
    idempotency_key: str


class _LastGood(msgspec.Struct, frozen=True):
    """The last good revision without its specs, which have a table of their own."""

    commit: str
    ref: str
    held: tuple[Key, ...]
    unsure: bool = False


_PUT = """INSERT INTO rows VALUES (?, ?, ?)
  ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value"""
"""An eighth cheaper than INSERT OR REPLACE, which deletes and inserts."""

_numbers = lru_cache(1024)(Decimal)
"""Fleets repeat the same few numbers, which then are made and kept once. What we wrote has none of great length."""

_entries = msgspec.json.Decoder(InventoryEntry, float_hook=_numbers)
_flights = msgspec.json.Decoder(_InFlight)
_last_good = msgspec.json.Decoder(_LastGood)
_encoder = msgspec.json.Encoder(decimal_format="number")


def open_store(url: str) -> SqliteStore:
    """Open or make the store at `url`: a file's path, or `:memory:`.

    Raises:
        StoreError: the file is no store of ours, is of a newer format, or cannot be opened.
    """
    path = None if url == ":memory:" else Path(url)
    database = connect(path)
    try:
        return SqliteStore(database, path)
    except BaseException:
        database.close()
        raise


def _encoded(value: bytes | InventoryEntry) -> bytes:
    return value if isinstance(value, bytes) else _encoder.encode(value)


class SqliteStore:
    """The one implementation of `Store`; `:memory:` differs in nothing but that it is gone with the process."""

    def __init__(self, database: sqlite3.Connection, path: Path | None) -> None:
        self._database = database
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock")) if path is not None else None
        self._specs = SpecTable(database)
        self._dirty: dict[tuple[str, str], bytes | InventoryEntry | None] = {}
        """What waits to be written; None: to be deleted. Entries are encoded then: one is often put twice before."""
        self._inventory: dict[Key, InventoryEntry] = {}
        self._outbox: dict[str, _InFlight] = {}
        self._reported: set[str] = set()
        self._facts: dict[str, bytes] = {}
        self._read_version = -1
        self._held_by_us = b""
        self._keys = Identifiers(secrets.token_hex(12))
        self.refresh()
        if "controller_id" not in self._facts:
            self._begin()

    def _begin(self) -> None:
        """Give a new store its controller; of two processes that try at once, the first one's stays."""
        with transaction(self._database):
            self._database.execute(
                "INSERT OR IGNORE INTO rows VALUES (?, 'controller_id', ?)",
                (FACT, secrets.token_hex(16).encode()),
            )
        self._read_version = -1
        self.refresh()

    # -- the file

    def refresh(self) -> bool:
        self.flush()
        with usable(self._path):
            (version,) = self._database.execute("PRAGMA data_version").fetchone()
            if version == self._read_version:
                return False
            self._read()
            self._read_version = version
        return True

    def _read(self) -> None:
        rows: dict[str, dict[str, bytes]] = {OUTBOX: {}, REPORTED: {}, FACT: {}}
        self._inventory = {}
        for kind, name, value in self._database.execute("SELECT kind, name, value FROM rows"):
            if kind == INVENTORY:
                entry = _entries.decode(value)
                self._inventory[entry.key] = entry
            else:
                rows[kind][name] = value
        self._outbox = {name: _flights.decode(value) for name, value in rows[OUTBOX].items()}
        self._reported = set(rows[REPORTED])
        self._facts = rows[FACT]
        self._specs.forget_kept()

    def flush(self) -> None:
        if self._dirty:
            with transaction(self._database):
                self._write()
            self._dirty.clear()

    def _write(self) -> None:
        puts = [
            (kind, name, _encoded(value)) for (kind, name), value in self._dirty.items() if value is not None
        ]
        drops = [where for where, value in self._dirty.items() if value is None]
        self._database.executemany(_PUT, puts)
        self._database.executemany("DELETE FROM rows WHERE kind = ? AND name = ?", drops)

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._close_files()

    def abandon(self) -> None:
        """Close without writing what waits, as the end of a killed process does."""
        self._close_files()

    def _close_files(self) -> None:
        self._database.close()
        if self._lock is not None:
            self._lock.close()

    def _put_fact(self, name: str, value: bytes) -> None:
        self._facts[name] = value
        self._dirty[FACT, name] = value

    # -- who we are

    @property
    def controller_id(self) -> str:
        return self._facts["controller_id"].decode()

    @property
    def epoch(self) -> int:
        return int(self._facts.get("epoch", b"0"))

    def take_epoch(self, above: int = 0) -> int:
        epoch = max(self.epoch + 1, above + 1, time.time_ns() // 1_000_000)
        self._put_fact("epoch", str(epoch).encode())
        self.flush()
        return epoch

    @contextlib.contextmanager
    def applying(self, timeout_s: float) -> Iterator[bool]:
        with self._locked(timeout_s):
            self.refresh()
            others = self._facts.get("applied_by", b"") != self._held_by_us or not self._held_by_us
            if others:
                self._held_by_us = secrets.token_hex(8).encode()
                self._put_fact("applied_by", self._held_by_us)
            try:
                yield others
            finally:
                self.flush()

    @contextlib.contextmanager
    def _locked(self, timeout_s: float) -> Iterator[None]:
        """Keep other processes out; no other process can see a store in memory."""
        if self._lock is None:
            yield
            return
        try:
            self._lock.acquire(timeout_s)
        except FileLocked as error:
            raise StoreBusy(
                f"another reconciler (pid {error.holder}) is applying with this store",
                fix="wait for it, or stop it",
            ) from None
        except OSError as error:
            raise StoreError(
                f"{self._lock.path}: the store cannot be locked: {error.strerror}",
                fix="free disk space, or fix the folder's permissions",
            ) from error
        try:
            yield
        finally:
            self._lock.release()

    # -- what is ours

    def keep_root(self, target: str, root: str) -> str:
        fact = f"root:{target}"
        kept = self._facts.get(fact, b"").decode()
        if kept and kept != root and any(key.target == target for key in self._inventory):
            return kept
        if kept != root:
            self._put_fact(fact, root.encode())
        return root

    def inventory(self) -> Inventory:
        return MappingProxyType(self._inventory)

    def put(self, entry: InventoryEntry) -> None:
        key = entry.key
        self._inventory[key] = entry
        self._dirty[INVENTORY, row_name(key)] = entry

    def forget(self, key: Key) -> None:
        if self._inventory.pop(key, None) is not None:
            self._dirty[INVENTORY, row_name(key)] = None
        for op in Op:
            self.settle(key, op)

    def ask_retry(self, key: Key) -> bool:
        self.refresh()
        entry = self._inventory.get(key)
        if entry is None:
            return False
        self.put(msgspec.structs.replace(entry, retry=True))
        self.flush()
        return True

    # -- steps in flight

    def key_for(self, key: Key, op: Op, spec_hash: str) -> str:
        name = f"{row_name(key)}:{op}"
        in_flight = self._outbox.get(name)
        if in_flight is None or in_flight.spec_hash != spec_hash:
            in_flight = _InFlight(spec_hash, self._keys.new())
            self._outbox[name] = in_flight
            self._dirty[OUTBOX, name] = _encoder.encode(in_flight)
        return in_flight.idempotency_key

    def settle(self, key: Key, op: Op) -> None:
        name = f"{row_name(key)}:{op}"
        if self._outbox.pop(name, None) is not None:
            self._dirty[OUTBOX, name] = None

    # -- what was reported to people

    def report_once(self, mark: str) -> bool:
        if mark in self._reported:
            return False
        self._reported.add(mark)
        self._dirty[REPORTED, mark] = b""
        return True

    def retract(self, mark: str) -> bool:
        if mark not in self._reported:
            return False
        self._reported.discard(mark)
        self._dirty[REPORTED, mark] = None
        return True

    def keep_reported(self, prefix: str, marks: set[str]) -> None:
        for mark in [mark for mark in self._reported if mark.startswith(prefix) and mark not in marks]:
            self.retract(mark)

    # -- what was wanted

    def last_good(self) -> Desired | None:
        saved = self._facts.get("last_good")
        if saved is None:
            return None
        with usable(self._path):
            last = _last_good.decode(saved)
            specs, held = self._specs.read(), frozenset(last.held)
            return Desired(last.commit, last.ref, specs, held, unsure=last.unsure)

    def keep_last_good(self, desired: Desired) -> None:
        last = _LastGood(desired.commit, desired.ref, tuple(sorted(desired.held)), desired.unsure)
        self._put_fact("last_good", _encoder.encode(last))
        try:
            with usable(self._path), transaction(self._database):
                self._specs.write(desired.specs)
                self._write()
        except StoreError:
            self._specs.forget_kept()
            raise
        self._dirty.clear()
