"""
What settings must say together; each alone is checked by `parsing`. Pure.

Rule 1: half of a pair is a problem: a key without its secret, a client key without its certificate.
Rule 2: no target's root is at or below another's: each would take the other's bots for its own.
Rule 3: each row of the policy says enough to be a rule, and its bounds leave something between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from reconciler.errors import Problem
from reconciler.settings.keys import FEES, LIMITS, TARGETS, TOTALS, rows_of, table_of
from reconciler.settings.model import TargetSettings
from reconciler.settings.parsing import BOUND, Given

_TOGETHER = (
    ("broker.api_key", "broker.api_secret"),
    ("broker.api_secret", "broker.api_key"),
    ("broker.tls.key_file", "broker.tls.cert_file"),
)
"""The first is of no use without the second."""

_NEEDED = {TOTALS: ("base", "quote"), LIMITS: ("min", "max"), FEES: ("maker", "taker")}
"""Of which each row has one at least."""


def contradictions(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """What contradicts itself or is missing. `values`: what could be read of `given`, both by key."""
    for key, needed in _TOGETHER:
        if key in values and needed not in given:
            yield Problem(given[key].place, key, f"is set without {needed}", f"set {needed} too")
    yield from _overlapping_roots(values, given)
    for row in rows_of(given):
        if table_of(row) != TARGETS:
            yield from _wrong_with_row(row, values, given)


def _overlapping_roots(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """Rule 2. The place is that of the root; that of its section, if the default is in force."""
    names = dict.fromkeys(key.split(".")[1] for key in given if key.startswith(f"{TARGETS}."))
    taken: dict[str, str] = {}
    for name in names:
        section = f"{TARGETS}.{name}"
        key = f"{section}.root"
        root = values.get(key, TargetSettings().root)
        for other, owner in taken.items():
            if f"{root}/".startswith(f"{other}/") or f"{other}/".startswith(f"{root}/"):
                item = given.get(key) or next(
                    item for name, item in given.items() if name.startswith(section)
                )
                what = f"{root} overlaps the root of target {owner}, {other}"
                yield Problem(item.place, key, what, "give each target a root of its own")
        taken[root] = name


def _wrong_with_row(row: str, values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """Rule 3."""
    item = given.get(row) or next(each for key, each in given.items() if key.startswith(f"{row}."))
    table = table_of(row)
    needed = _NEEDED[table]
    if not any(f"{row}.{name}" in given for name in needed):
        what = f"says neither {needed[0]} nor {needed[1]}"
        yield Problem(item.place, row, what, f"add {needed[0]}: or {needed[1]}:, or remove the row")
    if table == LIMITS and f"{row}.field" not in given:
        yield Problem(item.place, row, "names no field", "add field: config.order_amount, or another one")
    least, most = values.get(f"{row}.min"), values.get(f"{row}.max")
    low, high = (BOUND.fullmatch(bound) if bound else None for bound in (least, most))
    if low and high and low[2] == high[2] and Decimal(low[1]) > Decimal(high[1]):
        what = f"{least} is above max, {most}"
        yield Problem(given[f"{row}.min"].place, f"{row}.min", what, "write a min below max")
