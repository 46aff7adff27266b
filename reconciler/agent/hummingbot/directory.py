"""
Where one bot lives on the disk, and what is written down about it. Touches files.

    bots/NAME/bot.json      which process it is, and what it was begun with
    bots/NAME/output.log    what it prints
    bots/NAME/root/         Hummingbot's own root folder: conf, data, logs

Rule 1: what is written down is whole or as before: written beside, then renamed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.performance import Fill, Holding
from reconciler.agent.hummingbot.process import ProcessIdentity
from reconciler.agent.model import Strategy
from reconciler.errors import CommandRejected
from reconciler.protocol.canonical import wire_json
from reconciler.protocol.codes import ErrorCode


class BotRecord(
    msgspec.Struct, frozen=True, kw_only=True, rename={"identity": "birth", "shutdown_reason": "doom"}
):
    """What must be known of a bot after the agent was restarted.

    `identity` None: no process was begun yet. `ran`: it was seen running. `paused`: it was halted by command, or is
    about to be. `crashes`: so many in a row. `shutdown_reason`: why it is being brought down for good; empty: it is not.
    """

    strategy: Strategy
    identity: ProcessIdentity | None = None
    ran: bool = False
    paused: bool = False
    crashes: int = 0
    shutdown_reason: str = ""


_record = msgspec.json.Decoder(BotRecord, float_hook=Decimal)


class BotDirectory(msgspec.Struct, frozen=True):
    """One bot's folder; whether it is there is not said."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def output(self) -> Path:
        return self.folder / "output.log"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def database(self) -> Path:
        """Hummingbot names it after the strategy's file."""
        return self.root / "data" / f"{self.name}.sqlite"

    def write(self, record: BotRecord) -> None:
        """Write down what must be known later.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._record, wire_json(record))

    def read(self) -> BotRecord | None:
        """What was written down; None if nothing was, or nothing that can be read."""
        try:
            return _record.decode(self._record.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None

    @property
    def _record(self) -> Path:
        return self.folder / "bot.json"


def bot_directories(bots: Path) -> Iterator[BotDirectory]:
    """All bots that have a folder."""
    if bots.is_dir():
        yield from (BotDirectory(folder) for folder in sorted(bots.iterdir()) if folder.is_dir())


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that nobody else may read; who reads it meanwhile sees the former one."""
    unfinished = file.with_name(f".{file.name}.new")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as opened:  # noqa: PTH123  (a descriptor, so that its mode is right from the start)
        opened.write(data)
    unfinished.rename(file)


# Room.

_MIB = 1 << 20


def check_room(folder: Path, least_bytes: int) -> None:
    """See that a bot begun in `folder` has room for its logs and trades.

    Raises:
        CommandRejected: TIMEOUT-like, to be asked again: there is less than `least_bytes`.
    """
    free = shutil.disk_usage(folder).free
    if free < least_bytes:
        raise CommandRejected(
            ErrorCode.BUSY,
            f"the agent's disk has {free // _MIB} MiB left, less than the {least_bytes // _MIB} MiB that a start needs: "
            f"make room below {folder}, or lower --min-free-mib",
        )


def rotate(file: Path, largest_bytes: int, kept: int) -> bool:
    """Move what is in a file that has grown too large aside; whether it had.

    The file stays the same one, since a living process writes to it, at its end (O_APPEND). What it writes between
    copy and cut is lost: a few lines of what bots print beside their logs.
    """
    try:
        if file.stat().st_size <= largest_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept - 1, 0, -1):
        older = _numbered(file, number)
        if older.exists():
            older.rename(_numbered(file, number + 1))
    shutil.copyfile(file, _numbered(file, 1))
    os.truncate(file, 0)
    return True


def _numbered(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")


def prune(folder: Path, largest_bytes: int) -> list[Path]:
    """Remove the oldest files of a folder until the rest is within `largest_bytes`; the newest always stays."""
    files = sorted((path for path in folder.glob("*") if path.is_file()), key=_age_key)
    total = sum(path.stat().st_size for path in files)
    removed = []
    for path in files[:-1]:
        if total <= largest_bytes:
            break
        total -= path.stat().st_size
        path.unlink()
        removed.append(path)
    return removed


def _age_key(path: Path) -> float:
    return path.stat().st_mtime


# Trades.

_MILLIONTHS = Decimal(10**6)
_PATIENCE_S = 2.0
"""A writer of a few rows is through long before."""

_OPEN = ("BuyOrderCreated", "SellOrderCreated", "OrderFilled")
"""Last statuses of orders that may still stand: a fill may be a part; the whole is followed by a completion."""

_FILLS = """
SELECT rowid, market, symbol, trade_type, price, amount, COALESCE(trade_fee_in_quote, 0) FROM TradeFill
WHERE rowid > ? ORDER BY rowid
"""
_ORDERS = 'SELECT id, market, symbol, last_status FROM "Order" WHERE last_status IN (?, ?, ?)'


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that nobody has seen ended."""

    order_id: str
    exchange: str
    trading_pair: str

    def __str__(self) -> str:
        return f"{self.order_id} ({self.trading_pair} on {self.exchange})"


class TradeUpdate(msgspec.Struct, frozen=True):
    """What a look at a database gave: fills since the last one, and all orders that may stand."""

    seen: int
    fills: tuple[Fill, ...]
    open_orders: tuple[OpenOrder, ...]


class TradeHistory:
    """What one bot traded, read a bit further at each look. `file` may not be there yet."""

    def __init__(self, file: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self._file = file
        self._patience_s = patience_s
        self._seen = 0
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.open_orders: tuple[OpenOrder, ...] | None = None

    def read(self) -> TradeUpdate | None:
        """What came since the last look; None if the database cannot be read now. Changes nothing, in any thread."""
        if not self._file.exists():
            return None
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as db:
            rows = db.execute(_FILLS, (self._seen,)).fetchall()
            fills = tuple(_fill(row[1:]) for row in rows)
            return TradeUpdate(rows[-1][0] if rows else self._seen, fills, _open_orders(db))
        return None

    def take(self, news: TradeUpdate | None) -> None:
        """Take in what `read` gave; nothing leaves everything as it was last known."""
        if news is None:
            return
        self._seen = news.seen
        self.open_orders = news.open_orders
        for fill in news.fills:
            self.holdings.setdefault((fill.exchange, fill.trading_pair), Holding()).take(fill)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=self._patience_s
        )


def _fill(row: tuple[str, str, str, int, int, int]) -> Fill:
    exchange, pair, side, price, amount, fee = row
    return Fill(exchange, pair, side == "BUY", price / _MILLIONTHS, amount / _MILLIONTHS, fee / _MILLIONTHS)


def _open_orders(db: sqlite3.Connection) -> tuple[OpenOrder, ...]:
    return tuple(OpenOrder(order, market, pair) for order, market, pair, _ in db.execute(_ORDERS, _OPEN))


def open_orders(file: Path) -> tuple[OpenOrder, ...] | None:
    """Orders that may stand as a database says; None if it cannot be read, or is not there."""
    news = TradeHistory(file).read()
    return None if news is None else news.open_orders


# Archive.

KEPT = (
    "bot.json",
    "output.log",
    "root/logs",
    "root/data",
    "root/conf/strategies",
    "root/conf/controllers",
    "root/conf/scripts",
)
"""Below a bot's folder. Connectors' keys and the password's check stand elsewhere below root/conf."""


def pack(folder: Path, archives: Path, name: str, now: datetime) -> Path:
    """Archive what is kept of a bot's folder; the archive's name says which strategy and when.

    Raises:
        OSError: it cannot be written; then there is no archive and nothing was removed.
    """
    archives.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = _free_name(archives, f"{name}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    unfinished = target.with_suffix(".part")
    try:
        with unfinished.open("wb") as opened:
            unfinished.chmod(0o600)
            with tarfile.open(fileobj=opened, mode="w:gz") as packed:
                for path in _existing(folder):
                    packed.add(path, f"{name}/{path.relative_to(folder)}")
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return target


def pack_and_remove(folder: Path, archives: Path, name: str) -> Path | None:
    """Archive a bot's folder, then remove it; None if there is nothing.

    Raises:
        OSError: it could not be archived, or not be removed whole.
    """
    if not folder.exists():
        return None
    packed = pack(folder, archives, name, datetime.now(UTC))
    shutil.rmtree(folder)
    return packed


def _existing(folder: Path) -> Iterator[Path]:
    return (path for path in (folder / kept for kept in KEPT) if path.exists())


def _free_name(archives: Path, stem: str) -> Path:
    """A name that no archive has: one strategy may be deleted twice in a second."""
    number = 1
    while (found := archives / f"{stem}{f'-{number}' if number > 1 else ''}.tar.gz").exists():
        number += 1
    return found
