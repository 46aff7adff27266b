"""
Which keys and tables of rows there are, and what keys and rows must say together.

Rule 1: pure; what a value may be is `parsing`'s business.
Rule 2: a key is spelt as in the file: `sync.interval`, `targets.eu.root`, `policy.limits.0.max`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.errors import Location, Problem
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
"""Sections with as many rows as somebody writes, and the defaults of a row."""

DEFAULT_ROWS = (f"{TARGETS}.default",)

WANTED = {
    TOTALS: "write a list of rows, such as `- {exchange: binance, trading_pair: BTC-USDT, base: 2.5}`",
    LIMITS: "write a list of rows, such as `- {field: config.order_amount, max: 0.5}`",
    FEES: "name exchanges, or default, such as `binance: {maker: 0.1%, taker: 0.1%}`",
}
"""How each table of `policy` is written."""

_NEEDED = {TOTALS: ("base", "quote"), LIMITS: ("min", "max"), FEES: ("maker", "taker")}
"""Of which each row has one at least."""

_TOGETHER = (
    ("broker.api_key", "broker.api_secret"),
    ("broker.api_secret", "broker.api_key"),
    ("broker.tls.key_file", "broker.tls.cert_file"),
)
"""The first is of no use without the second."""

SECRET_KEYS = frozenset({"broker.password", "broker.api_key", "broker.api_secret"})
"""Shown as *** wherever settings are shown."""

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

DURATIONS = frozenset({"interval", "step_timeout", "basic_window", "connect_timeout"})
"""Last parts of keys that are time spans."""

NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?"

BOUND = re.compile(rf"({NUMBER}) ?(%|bps)?", re.ASCII)
"""A number with or without a unit, as `min` and `max` of a limit have it."""

_TARGET = re.compile(NAME.pattern.replace(".", ""))


class Given(msgspec.Struct, frozen=True):
    """A value as somebody wrote it, and where: `origin` for people, `key_place` for an unknown key."""

    text: str
    origin: str
    place: Location
    key_place: Location
    is_section: bool = False


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


def row_of(key: str) -> str:
    """The row of a table that `key` stands in or is, such as `targets.default`; empty if there is none."""
    for table in _TABLES:
        if key.startswith(f"{table}."):
            return f"{table}.{key.removeprefix(table)[1:].partition('.')[0]}"
    return ""


def table_of(row: str) -> str:
    """The table that a row stands in."""
    return row.rpartition(".")[0]


def rows_of(keys: Iterable[str]) -> tuple[str, ...]:
    """The rows that keys stand in, each once; those of names that no row can have are left out."""
    rows = dict.fromkeys(filter(None, map(row_of, keys)))
    return tuple(row for row in rows if not fix_of_row(row))


def fix_of_row(row: str) -> str:
    """What to write instead of a row that its table cannot have; empty for one that it can."""
    table, _, name = row.rpartition(".")
    if table == TARGETS:
        return "" if is_target_name(name) else "name targets with letters, digits, _ and -"
    pattern = r"[a-z][a-z0-9_]*" if table == FEES else r"[0-9]{1,4}"
    return "" if re.fullmatch(pattern, name, re.ASCII) else WANTED[table]


def fix_of_key(key: str) -> str | None:
    """The fix for a key that no setting has and that no section is called; None if one is."""
    row = row_of(key)
    if row and (fix := fix_of_row(row)):
        return fix
    known = known_keys((row,) if row else DEFAULT_ROWS)
    return None if key in known or key in sections_of(known) else did_you_mean(key, known)


def did_you_mean(key: str, known: Iterable[str]) -> str:
    """The fix for an unknown key: the nearest one of `known` and its sections."""
    near = difflib.get_close_matches(key, (*known, *sections_of(known)), 1)
    return f"did you mean {near[0]}?" if near else "remove it; `reconciler config show` lists all settings"


def sections_of(known: Iterable[str]) -> set[str]:
    """What keys stand below: `sync`, `broker`, `broker.tls`, `targets`, `targets.default`."""
    return {key[:at] for key in known for at, letter in enumerate(key) if letter == "."} | _TABLES.keys()


def field_name(key: str) -> str:
    """The Struct's field of a key: durations end in `_s` there."""
    last = key.rpartition(".")[2]
    return f"{last}_s" if last in DURATIONS else last


def is_target_name(text: str) -> bool:
    """Whether a target may be called so: as a name on the wire, without the dot that parts keys."""
    return _TARGET.fullmatch(text) is not None


def is_address(repository: str) -> bool:
    """Whether `source.repository` is an address rather than a folder."""
    return re.match(r"[a-z+]+://|[\w.-]+@[\w.-]+:", repository, re.IGNORECASE) is not None


def contradictions(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """Keys that lack the key they need, targets whose roots overlap, and rows of `policy` that say too little.

    `values`: what was read of `given`.
    """
    for key, needed in _TOGETHER:
        if key in values and needed not in given:
            yield Problem(given[key].place, key, f"is set without {needed}", f"set {needed} too")
    yield from _overlapping_roots(values, given)
    for row in rows_of(given):
        table = table_of(row)
        if table == TARGETS:
            continue
        place = _place(row, given)
        needs = _NEEDED[table]
        if not any(f"{row}.{name}" in given for name in needs):
            what = f"says neither {needs[0]} nor {needs[1]}"
            yield Problem(place, row, what, f"add {needs[0]}: or {needs[1]}:, or remove the row")
        if table == LIMITS and f"{row}.field" not in given:
            yield Problem(place, row, "names no field", "add field: config.order_amount, or another one")
        least, most = values.get(f"{row}.min"), values.get(f"{row}.max")
        low, high = (BOUND.fullmatch(bound) if bound else None for bound in (least, most))
        if low and high and low[2] == high[2] and Decimal(low[1]) > Decimal(high[1]):
            what = f"{least} is above max, {most}"
            yield Problem(given[f"{row}.min"].place, f"{row}.min", what, "write a min below max")


def _overlapping_roots(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """One root at or below another: each would take the other's bots for its own."""
    taken: dict[str, str] = {}
    for name in dict.fromkeys(key.split(".")[1] for key in given if key.startswith(f"{TARGETS}.")):
        key = f"{TARGETS}.{name}.root"
        root = values.get(key, TargetSettings().root)
        for other, owner in taken.items():
            if f"{root}/".startswith(f"{other}/") or f"{other}/".startswith(f"{root}/"):
                what = f"{root} overlaps the root of target {owner}, {other}"
                place = given[key].place if key in given else _place(f"{TARGETS}.{name}", given)
                yield Problem(place, key, what, "give each target a root of its own")
        taken[root] = name


def _place(row: str, given: Mapping[str, Given]) -> Location:
    """Where a row stands; where the first of its keys does if only those are given, as by variables."""
    return (given.get(row) or next(item for key, item in given.items() if key.startswith(f"{row}."))).place
