"""
The last good revision, one row a strategy: a commit that changes one of 10,000 writes one.

Rows are read and written whole only by a process's first call; later it knows what it kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from reconciler.model.spec import Key, StrategySpec

_decoder = msgspec.json.Decoder(StrategySpec, float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Wishes:
    """The table `wishes`; the caller holds the transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._kept: dict[Key, StrategySpec] | None = None

    def read(self) -> dict[Key, StrategySpec]:
        """All of them."""
        if self._kept is None:
            rows = self._database.execute("SELECT value FROM wishes ORDER BY name")
            specs = (_decoder.decode(value) for (value,) in rows)
            self._kept = {spec.key: spec for spec in specs}
        return dict(self._kept)

    def write(self, specs: Mapping[Key, StrategySpec]) -> None:
        """Keep `specs` and no others."""
        before = self.read()
        changed = [
            spec for key, spec in specs.items() if (old := before.get(key)) is not spec and old != spec
        ]
        gone = [(_name(key),) for key in before.keys() - specs.keys()]
        self._database.executemany("DELETE FROM wishes WHERE name = ?", gone)
        self._database.executemany(
            "INSERT OR REPLACE INTO wishes VALUES (?, ?)",
            ((_name(spec.key), _encoder.encode(spec)) for spec in changed),
        )
        self._kept = dict(specs)

    def forget_kept(self) -> None:
        """Another process may have written, or the transaction was rolled back: read again next time."""
        self._kept = None


def _name(key: Key) -> str:
    return f"{key.target}/{key.name}"
