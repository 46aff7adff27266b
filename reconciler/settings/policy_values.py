"""The keys of `policy`: text → value of each, and what its rows must say together. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from reconciler.errors import Problem
from reconciler.settings.bad_value import BadValue
from reconciler.settings.yaml_file import Given

TOTALS, LIMITS, FEES = "policy.max_total_amount", "policy.limits", "policy.fees"

_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?"
_AMOUNT = re.compile(_NUMBER, re.ASCII)
_BOUND = re.compile(rf"({_NUMBER}) ?(%|bps)?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._/*-]*", re.ASCII)
_EXCHANGE = re.compile(r"[a-z0-9_*]+", re.ASCII)
_PAIR = re.compile(r"\*|[A-Z0-9._*]+-[A-Z0-9._*]+", re.ASCII)
_FIELD = re.compile(r"config(\.[A-Za-z0-9_]+)+", re.ASCII)


def policy_parser(key: str) -> Callable[[str], Any] | None:
    """What reads a key of `policy` that is none of the common kinds."""
    section, _, last = key.rpartition(".")
    return _PARSERS.get(last) if section.partition(".")[0] == "policy" else None


def _amount(text: str) -> Decimal:
    if _AMOUNT.fullmatch(text) is None or Decimal(text) <= 0:
        raise BadValue(f"{text!r} is not a number above 0", "write a number above 0, such as 2.5")
    return Decimal(text)


def _bound(text: str) -> str:
    if _BOUND.fullmatch(text) is None:
        raise BadValue(
            f"{text!r} is not a number", "write a number, such as 0.5, or 0.1% where a field takes it"
        )
    return text


def _fee(text: str) -> Decimal:
    """In percent. Without a unit nobody could tell 0.001 from 0.1 %."""
    found = _BOUND.fullmatch(text)
    if found is None or (found[2] is None and Decimal(found[1])):
        raise BadValue(f"{text!r} is no fee", "write it with its unit, such as 0.1% or 10bps")
    return Decimal(found[1]).scaleb(-2 if found[2] == "bps" else 0)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not words:
        raise BadValue("names nothing", "name one at least, or leave the key out")
    for word in words:
        if _WORD.fullmatch(word) is None:
            raise BadValue(f"{word!r} is no name", "write plain names, such as [binance, kucoin]")
    return words


def _matching(pattern: re.Pattern[str], what: str, fix: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise BadValue(f"{text!r} is no {what}", fix)
        return text

    return read


_PARSERS: dict[str, Callable[[str], Any]] = {
    "max_leverage": _amount,
    "allowed_exchanges": _words,
    "allowed_strategy_types": _words,
    "required_labels": _words,
    "exchange": _matching(_EXCHANGE, "exchange", "write a connector's name, such as binance or binance*"),
    "trading_pair": _matching(_PAIR, "trading pair", "write one such as BTC-USDT, *-USDT or *"),
    "base": _amount,
    "quote": _amount,
    "field": _matching(_FIELD, "field of config", "write config. and its name, such as config.order_amount"),
    "min": _bound,
    "max": _bound,
    "maker": _fee,
    "taker": _fee,
}
"""By a key's last part."""


# -- tables

WANTED = {
    TOTALS: "write a list of rows, such as `- {exchange: binance, trading_pair: BTC-USDT, base: 2.5}`",
    LIMITS: "write a list of rows, such as `- {field: config.order_amount, max: 0.5}`",
    FEES: "name exchanges, or default, such as `binance: {maker: 0.1%, taker: 0.1%}`",
}
"""How each table is written."""

_NEEDED = {TOTALS: ("base", "quote"), LIMITS: ("min", "max"), FEES: ("maker", "taker")}
"""Of which each row has one at least."""


def is_row_name(table: str, name: str) -> bool:
    """Whether a row of a table may be called so: by its position in a list, or as an exchange."""
    pattern = r"[a-z][a-z0-9_]*" if table == FEES else r"[0-9]{1,4}"
    return re.fullmatch(pattern, name, re.ASCII) is not None


def row_problems(
    rows: Mapping[str, str], values: Mapping[str, Any], given: Mapping[str, Given]
) -> Iterator[Problem]:
    """What is missing in rows (row → its table), or contradicts itself there."""
    for row, table in rows.items():
        item = given.get(row) or next(each for key, each in given.items() if key.startswith(f"{row}."))
        needed = _NEEDED[table]
        if not any(f"{row}.{name}" in given for name in needed):
            what = f"says neither {needed[0]} nor {needed[1]}"
            yield Problem(item.place, row, what, f"add {needed[0]}: or {needed[1]}:, or remove the row")
        if table == LIMITS and f"{row}.field" not in given:
            yield Problem(item.place, row, "names no field", "add field: config.order_amount, or another one")
        if _is_upside_down(values.get(f"{row}.min"), values.get(f"{row}.max")):
            what = f"{values[f'{row}.min']} is above max, {values[f'{row}.max']}"
            yield Problem(given[f"{row}.min"].place, f"{row}.min", what, "write a min below max")


def _is_upside_down(least: str | None, most: str | None) -> bool:
    """Whether two bounds in the same unit leave nothing between them."""
    low, high = (_BOUND.fullmatch(bound) if bound else None for bound in (least, most))
    return bool(low and high and low[2] == high[2] and Decimal(low[1]) > Decimal(high[1]))
