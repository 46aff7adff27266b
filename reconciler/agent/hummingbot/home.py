"""
Where one bot lives on the disk, and what is written down about it. Touches files.

    bots/NAME/bot.json      which process it is, and what it was begun with
    bots/NAME/output.log    what it prints
    bots/NAME/root/         Hummingbot's own root folder: conf, data, logs

Rule 1: what is written down is whole or as before: written beside, then renamed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.process import Birth
from reconciler.agent.model import Strategy
from reconciler.protocol.canonical import wire_json


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a bot after the agent was restarted.

    `birth` None: no process was begun yet. `ran`: it was seen running. `paused`: it was halted by command, or is
    about to be. `crashes`: so many in a row. `doom`: why it is being brought down for good; empty: it is not.
    """

    strategy: Strategy
    birth: Birth | None = None
    ran: bool = False
    paused: bool = False
    crashes: int = 0
    doom: str = ""


_record = msgspec.json.Decoder(Record, float_hook=Decimal)


class Home(msgspec.Struct, frozen=True):
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

    def write(self, record: Record) -> None:
        """Write down what must be known later.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._record, wire_json(record))

    def read(self) -> Record | None:
        """What was written down; None if nothing was, or nothing that can be read."""
        try:
            return _record.decode(self._record.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None

    @property
    def _record(self) -> Path:
        return self.folder / "bot.json"


def homes(bots: Path) -> Iterator[Home]:
    """All bots that have a folder."""
    if bots.is_dir():
        yield from (Home(folder) for folder in sorted(bots.iterdir()) if folder.is_dir())


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that nobody else may read; who reads it meanwhile sees the former one."""
    unfinished = file.with_name(f".{file.name}.new")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as opened:  # noqa: PTH123  (a descriptor, so that its mode is right from the start)
        opened.write(data)
    unfinished.rename(file)
