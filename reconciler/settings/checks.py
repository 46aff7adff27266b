"""What settings must say together. Each alone is `keys`' business. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import Location, Problem
from reconciler.settings.keys import TARGETS, rows_of, table_of
from reconciler.settings.model import TargetSettings
from reconciler.settings.policy_values import row_problems
from reconciler.settings.yaml_file import Given

_TOGETHER = (
    ("broker.api_key", "broker.api_secret"),
    ("broker.api_secret", "broker.api_key"),
    ("broker.tls.key_file", "broker.tls.cert_file"),
)
"""The first is of no use without the second."""


def contradictions(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """What is missing beside what is set, targets that are in each other's way, and rows that say too little."""
    for key, needed in _TOGETHER:
        if key in values and needed not in given:
            yield Problem(given[key].place, key, f"is set without {needed}", f"set {needed} too")
    yield from _overlaps(values, given)
    rows = {row: table_of(row) for row in rows_of(given)}
    yield from row_problems({row: table for row, table in rows.items() if table != TARGETS}, values, given)


def _overlaps(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[Problem]:
    """One root at or below another: each would take the other's bots for its own."""
    names = dict.fromkeys(key.split(".")[1] for key in given if key.startswith(f"{TARGETS}."))
    taken: dict[str, str] = {}
    for name in names:
        key = f"{TARGETS}.{name}.root"
        root = values.get(key, TargetSettings().root)
        for other, owner in taken.items():
            if f"{root}/".startswith(f"{other}/") or f"{other}/".startswith(f"{root}/"):
                what = f"{root} overlaps the root of target {owner}, {other}"
                yield Problem(_place(key, given), key, what, "give each target a root of its own")
        taken[root] = name


def _place(key: str, given: Mapping[str, Given]) -> Location:
    """Where `key` is set; where its section is, if a default is in force."""
    section = key.rpartition(".")[0]
    found = given.get(key) or next(item for name, item in given.items() if name.startswith(section))
    return found.place
