"""
One bot's directory: the record that outlives the agent, disk space, trades, and the archive of a deleted bot.

    bots/NAME/bot.json      its process, and what it was started with
    bots/NAME/output.log    what it prints
    bots/NAME/root/         Hummingbot's own root folder: conf, data, logs

Rule 1: a record is written as a whole and readable by its owner alone.
Rule 2: Hummingbot's trades database is read while the bot writes it, and never written to.
Rule 3: nothing is removed before its archive is complete and on the disk; no keystore or password is archived.
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
from reconciler.files import write_atomically
from reconciler.protocol.canonical import wire_json
from reconciler.protocol.codes import ErrorCode

_MIB = 1 << 20


class BotRecord(
    msgspec.Struct, frozen=True, kw_only=True, rename={"identity": "birth", "shutdown_reason": "doom"}
):
    """What a restarted agent must know of a bot; the keys in bot.json are those of its first version.

    `identity`: of its process, None before the first start. `ran`: its strategy was seen running since then.
    `paused`: it is halted on command, or about to be. `crashes`: in a row. `shutdown_reason`: why it is being shut down
    for good; empty: it is not.
    """

    strategy: Strategy
    identity: ProcessIdentity | None = None
    ran: bool = False
    paused: bool = False
    crashes: int = 0
    shutdown_reason: str = ""


_decoder = msgspec.json.Decoder(BotRecord, float_hook=Decimal)


class BotDirectory(msgspec.Struct, frozen=True):
    """Paths of one bot's files, whether they exist or not."""

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

    @property
    def record_file(self) -> Path:
        return self.folder / "bot.json"

    def write(self, record: BotRecord) -> None:
        """Replace the record; creates the folder.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self.record_file, wire_json(record), mode=0o600)

    def read(self) -> BotRecord | None:
        """Return the record; None if there is none, or none that can be read."""
        try:
            return _decoder.decode(self.record_file.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None


def bot_directories(bots: Path) -> Iterator[BotDirectory]:
    """Yield the directories below `bots`, by name."""
    if bots.is_dir():
        yield from (BotDirectory(folder) for folder in sorted(bots.iterdir()) if folder.is_dir())


# Disk space.


def check_room(folder: Path, least_bytes: int) -> None:
    """Check that the disk of `folder` has room for the logs and trades of one more bot.

    Raises:
        CommandRejected: BUSY: there is less than `least_bytes`.
    """
    free = shutil.disk_usage(folder).free
    if free < least_bytes:
        raise CommandRejected(
            ErrorCode.BUSY,
            f"the agent's disk has {free // _MIB} MiB left, less than the {least_bytes // _MIB} MiB that a start needs: "
            f"make room below {folder}, or lower --min-free-mib",
        )


def rotate(file: Path, largest_bytes: int, kept: int) -> bool:
    """Copy a file that has grown over `largest_bytes` to FILE.1 and empty it; FILE.1 to FILE.`kept` are kept.

    Returns whether it had grown too large. The file itself stays, since a living process appends to it (O_APPEND).
    What the process writes between copy and truncation is lost: a few lines that bots print besides their logs.
    """
    try:
        if file.stat().st_size <= largest_bytes:
            return False
    except FileNotFoundError:
        return False
    numbered = [file.with_name(f"{file.name}.{number}") for number in range(1, kept + 1)]
    for older, newer in zip(reversed(numbered[1:]), reversed(numbered[:-1]), strict=True):
        if newer.exists():
            newer.rename(older)
    shutil.copyfile(file, numbered[0])
    os.truncate(file, 0)
    return True


def prune(folder: Path, largest_bytes: int) -> list[Path]:
    """Remove the oldest files of a folder until the rest is within `largest_bytes`; the newest always stays."""
    files = sorted(
        (path for path in folder.glob("*") if path.is_file()), key=lambda path: path.stat().st_mtime
    )
    total = sum(path.stat().st_size for path in files)
    removed = []
    for path in files[:-1]:
        if total <= largest_bytes:
            break
        total -= path.stat().st_size
        path.unlink()
        removed.append(path)
    return removed


# Trades: the tables of Hummingbot 20260922 (hummingbot/model/order.py, trade_fill.py), decimals as integers of millionths.

_MILLIONTHS = Decimal(10**6)
_LOCK_TIMEOUT_S = 2.0
"""The bot holds the lock for a few rows only."""

_OPEN = ("BuyOrderCreated", "SellOrderCreated", "OrderFilled")
"""Last statuses of orders that may be open: a fill may be a part of the order; a completion follows the whole."""

_FILLS = """
SELECT rowid, market, symbol, trade_type, price, amount, COALESCE(trade_fee_in_quote, 0) FROM TradeFill
WHERE rowid > ? ORDER BY rowid
"""
_ORDERS = 'SELECT id, market, symbol FROM "Order" WHERE last_status IN (?, ?, ?)'


class OpenOrder(msgspec.Struct, frozen=True):
    """An order without a recorded end."""

    order_id: str
    exchange: str
    trading_pair: str

    def __str__(self) -> str:
        return f"{self.order_id} ({self.trading_pair} on {self.exchange})"


class TradeUpdate(msgspec.Struct, frozen=True):
    """One read of a trades database: the fills after the last read, and all orders that may be open."""

    last_row: int
    fills: tuple[Fill, ...]
    open_orders: tuple[OpenOrder, ...]


class TradeHistory:
    """One bot's holdings and open orders, kept up to date from its trades database, which may not exist yet.

    `open_orders` None: the database was never read. `holdings`: by exchange and trading pair.
    """

    def __init__(self, file: Path, *, lock_timeout_s: float = _LOCK_TIMEOUT_S) -> None:
        self._file = file
        self._lock_timeout_s = lock_timeout_s
        self._last_row = 0
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.open_orders: tuple[OpenOrder, ...] | None = None

    def read(self) -> TradeUpdate | None:
        """Read what is new; None if the database cannot be read now. Changes nothing; may run in any thread."""
        if not self._file.exists():
            return None
        uri = f"{self._file.absolute().as_uri()}?mode=ro"
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(uri, uri=True, timeout=self._lock_timeout_s)
            with contextlib.closing(connection) as db:
                rows = db.execute(_FILLS, (self._last_row,)).fetchall()
                fills = tuple(
                    Fill(
                        exchange=exchange,
                        trading_pair=pair,
                        is_buy=side == "BUY",
                        price=price / _MILLIONTHS,
                        amount=amount / _MILLIONTHS,
                        fee_quote=fee / _MILLIONTHS,
                    )
                    for _, exchange, pair, side, price, amount, fee in rows
                )
                orders = tuple(
                    OpenOrder(order, exchange, pair) for order, exchange, pair in db.execute(_ORDERS, _OPEN)
                )
                return TradeUpdate(rows[-1][0] if rows else self._last_row, fills, orders)
        return None

    def apply(self, update: TradeUpdate | None) -> None:
        """Take over what `read` returned; after None everything stays as last known."""
        if update is None:
            return
        self._last_row = update.last_row
        self.open_orders = update.open_orders
        for fill in update.fills:
            self.holdings.setdefault((fill.exchange, fill.trading_pair), Holding()).take(fill)


# Archive.

ARCHIVED = (
    "bot.json",
    "output.log",
    "root/logs",
    "root/data",
    "root/conf/strategies",
    "root/conf/controllers",
    "root/conf/scripts",
)
"""Below a bot's folder. The keys of connectors and the password's verification are elsewhere below root/conf."""


def pack(folder: Path, archives: Path, name: str, now: datetime) -> Path:
    """Archive a bot's folder as NAME-TIME.tar.gz; one deleted twice in a second gets NAME-TIME-2, and so on.

    Raises:
        OSError: it cannot be written; then there is no archive and nothing was removed.
    """
    archives.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = f"{name}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    target, number = archives / f"{stem}.tar.gz", 1
    while target.exists():
        number += 1
        target = archives / f"{stem}-{number}.tar.gz"
    unfinished = target.with_suffix(".part")
    try:
        with unfinished.open("wb") as opened:
            unfinished.chmod(0o600)
            with tarfile.open(fileobj=opened, mode="w:gz") as packed:
                for path in (folder / kept for kept in ARCHIVED):
                    if path.exists():
                        packed.add(path, f"{name}/{path.relative_to(folder)}")
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return target


def pack_and_remove(folder: Path, archives: Path, name: str) -> Path | None:
    """Archive a bot's folder, then remove it; None if it does not exist.

    Raises:
        OSError: it could not be archived, or not be removed completely.
    """
    if not folder.exists():
        return None
    packed = pack(folder, archives, name, datetime.now(UTC))
    shutil.rmtree(folder)
    return packed
