"""
Which keys can be set, and what they are in `Settings`. Pure.

Rule 1: the keys follow from the Structs of `model`: a section for each Struct, a duration without its `_s`.
Rule 2: a table has as many rows as somebody writes, named (`targets.eu.root`) or counted (`policy.limits.0.max`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from reconciler.model.spec import NAME
from reconciler.settings.model import FeeRow, LimitRow, Settings, TargetSettings, TotalRow

TARGETS = "targets"
TOTALS, LIMITS, FEES = "policy.max_total_amount", "policy.limits", "policy.fees"

LISTS = (TOTALS, LIMITS)
"""Tables whose rows are counted from 0; the rows of others have names."""

_TABLES: dict[str, msgspec.Struct] = {
    TARGETS: TargetSettings(),
    TOTALS: TotalRow(),
    LIMITS: LimitRow(),
    FEES: FeeRow(),
}
"""The tables, and the defaults of a row."""

WANTED = {
    TOTALS: "write a list of rows, such as `- {exchange: binance, trading_pair: BTC-USDT, base: 2.5}`",
    LIMITS: "write a list of rows, such as `- {field: config.order_amount, max: 0.5}`",
    FEES: "name exchanges, or default, such as `binance: {maker: 0.1%, taker: 0.1%}`",
}
"""How each table of the policy is written."""

DEFAULT_ROWS = (f"{TARGETS}.default",)

_DURATIONS = frozenset({"interval", "step_timeout", "basic_window", "connect_timeout"})

SECRET_KEYS = frozenset({"broker.password", "broker.api_key", "broker.api_secret"})
"""Shown as *** wherever settings are shown."""

ADDRESS_KEYS = frozenset({"broker.url", "source.repository"})
"""What may have a user name and a password in it."""

PATH_KEYS = frozenset(
    {
        "schemas",
        "store.url",
        "source.allowed_signers",
        "broker.tls.ca_file",
        "broker.tls.cert_file",
        "broker.tls.key_file",
    }
)
"""Relative to the settings file's folder."""

_TARGET_NAME = re.compile(NAME.pattern.replace(".", ""))
_ROW_NAMES = {
    TOTALS: re.compile(r"[0-9]{1,4}"),
    LIMITS: re.compile(r"[0-9]{1,4}"),
    FEES: re.compile(r"[a-z][a-z0-9_]*"),
}


def known_keys(rows: Iterable[str] = DEFAULT_ROWS) -> dict[str, Any]:
    """Every settable key and its default, in the file's spelling (`sync.interval`, not `interval_s`).

    `rows`: those of the tables, such as `targets.default`.
    """
    found = dict(_keys(Settings(), ""))
    for row in rows:
        found.update(_keys(_TABLES[table_of(row)], f"{row}."))
    return found


def _keys(section: msgspec.Struct, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        name = field.name.removesuffix("_s")
        if isinstance(value, msgspec.Struct):
            yield from _keys(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in _TABLES:
            yield f"{prefix}{name}", value


def is_duration(key: str) -> bool:
    """Whether a key is a time span."""
    return key.rpartition(".")[2] in _DURATIONS


def field_name(key: str) -> str:
    """The Struct's field of a key: durations end in `_s` there."""
    last = key.rpartition(".")[2]
    return f"{last}_s" if last in _DURATIONS else last


def sections_of(known: Iterable[str]) -> set[str]:
    """What keys stand below: `sync`, `broker`, `broker.tls`, `targets`, `targets.default`."""
    return {key[:at] for key in known for at, letter in enumerate(key) if letter == "."} | _TABLES.keys()


def table_of(row: str) -> str:
    """The table that a row stands in."""
    return row.rpartition(".")[0]


def rows_of(keys: Iterable[str]) -> tuple[str, ...]:
    """The rows that keys stand in, each once; those of names that no row can have are left out."""
    rows = dict.fromkeys(filter(None, map(_row_of, keys)))
    return tuple(row for row in rows if not _fix_of_row(row))


def _row_of(key: str) -> str:
    """The row of a table that `key` stands in or is, such as `targets.default`; empty if there is none."""
    for table in _TABLES:
        if key.startswith(f"{table}."):
            return f"{table}.{key.removeprefix(table)[1:].partition('.')[0]}"
    return ""


def _fix_of_row(row: str) -> str:
    """What to write instead of a row that its table cannot have; empty for one that it can."""
    table, _, name = row.rpartition(".")
    if table == TARGETS:
        return "" if is_target_name(name) else "name targets with letters, digits, _ and -"
    return "" if _ROW_NAMES[table].fullmatch(name) else WANTED[table]


def is_target_name(text: str) -> bool:
    """Whether a target may be called so: as a name on the wire, without the dot that separates keys."""
    return _TARGET_NAME.fullmatch(text) is not None


def fix_of_unknown(key: str) -> str | None:
    """The fix for a key that no setting has and that no section is called; None if one is."""
    row = _row_of(key)
    if row and (fix := _fix_of_row(row)):
        return fix
    known = known_keys((row,) if row else DEFAULT_ROWS)
    return None if key in known or key in sections_of(known) else did_you_mean(key, known)


def did_you_mean(key: str, known: Iterable[str]) -> str:
    """The fix for an unknown key: the nearest one of `known` and their sections."""
    near = difflib.get_close_matches(key, (*known, *sections_of(known)), 1)
    return f"did you mean {near[0]}?" if near else "remove it; `reconciler config show` lists all settings"
