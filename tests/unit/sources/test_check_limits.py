"""The worst files of a mebibyte: what is kept of them, and what reading them takes, has an end."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Severity
from reconciler.sources.base import Checked
from reconciler.sources.check import check
from reconciler.sources.yaml.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PROBLEMS
from reconciler.sources.yaml.reader import read

MOST_MEMORY = 96 * MAX_BYTES
"""Of Python, at the worst moment. The reader stops after MAX_NODES values, each with its place."""

HEAD = b"strategy_type: pure_market_making\nexchange: binance\ntrading_pair: BTC-USDT\n"
CONFIG = b"config: {bid_spread: 0.1, ask_spread: 0.1, order_amount: 1}\n"


def many(part: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
    """`part` as often as a file can have it."""
    return start + part * ((MAX_BYTES - len(start) - len(end)) // len(part)) + end


def numbered(line: str, count: int, start: bytes = b"") -> bytes:
    """`line` with each number below `count` in it."""
    return start + "".join(line % number for number in range(count)).encode()


WORST = {
    "documents": many(b"a:\n---\n"),
    "empty documents": many(b"---\n"),
    "good documents": many(HEAD + CONFIG + b"---\n"),
    "bad documents": many(HEAD + b"config: {}\n---\n"),
    "items": many(b"- \n"),
    "a list": many(b"1,", b"a: [", b"]"),
    "pairs of a list": many(b"?,", b"a: [", b"]"),
    "aliases": many(b"*x,", b"a: [", b"]"),
    "anchors": many(b"&x 1,", b"a: [", b"]"),
    "tags": many(b"!x 1,", b"a: [", b"]"),
    "one key": many(b"a: 1\n"),
    "number keys": many(b"1: 1\n"),
    "merge keys": many(b"<<: 1\n"),
    "list keys": many(b"? [a] : b, ", b"a: {", b"}"),
    "unknown fields": numbered("k%06d: 1\n", 80_000),
    "unknown fields of config": numbered("  k%06d: 1\n", 80_000, HEAD + b"config:\n"),
    "labels that are no text": numbered("  k%06d: 1\n", 80_000, HEAD + b"labels:\n"),
    "drift of unknown fields": numbered("- config.k%06d\n", 60_000, HEAD + CONFIG + b"ignore_drift:\n"),
    "wrong numbers": many(b"1_0,", b"a: [", b"]"),
    "wide below deep": b"a: " + b"{a: " * 29 + numbered("{k%06d: 1},", 24_000, b"[") + b"]" + b"}" * 29,
    "lists in lists": many(b"[", b"a: "),
    "closed lists in lists": b"a: " + b"[" * 500_000 + b"]" * 500_000,
    "mappings in mappings": many(b"{a: ", b"a: "),
    "items in items": many(b"- "),
    "keys of keys": many(b"? "),
    "deeper and deeper": b"".join(b" " * depth + b"a:\n" for depth in range(1400)),
    "a long key": many(b"a", end=b": 1\n"),
    "a long word": many(b"x", HEAD + b"state: "),
    "a long date": many(b"x", HEAD + CONFIG + b"suspend: {reason: a, until: ", b"}"),
    "a long number": many(b"9", HEAD + b"config: {bid_spread: ", b"}"),
    "a long percentage": many(b"9", HEAD + b"config: {order_amount: ", b"%}"),
    "a long exponent": many(b"9", HEAD + b"config: {bid_spread: 1e", b"}"),
    "a long anchor": many(b"x", b"a: &", b" 1"),
    "a long tag": many(b"x", b"a: !", b" 1"),
    "directives": many(b"%a\n"),
    "comments": many(b"# x\n"),
    "empty lines": many(b"\n"),
    "lines of Unicode": many("\u2028".encode()),
    "tabs": many(b"\t"),
    "zeros": many(b"\0"),
    "no UTF-8": many(b"\xff"),
    "quotes": many(b"'"),
    "escapes": many(b"\\u0041", b'a: "', b'"'),
    "colons": many(b": "),
    "brackets": many(b"[]"),
    "a block of text": many(b" x\n", b"a: |\n"),
}


LONGEST = {
    "documents",
    "empty documents",
    "good documents",
    "bad documents",
    "number keys",
    "merge keys",
    "items",
    "anchors",
    "tags",
    "directives",
    "a long percentage",
}
"""What Python needs more than 1.5 s to trace the memory of."""


@pytest.fixture(autouse=True, scope="module")
def catalog_and_validators() -> None:
    """What is made once for all files is no file's memory."""
    check(HEAD + CONFIG, "f.yaml", load_catalog())
    check(HEAD + b"config: {x: 1}\n", "f.yaml", load_catalog())


def measured(text: bytes) -> tuple[Checked, int]:
    """What is said of a file, and the most memory at any moment."""
    tracemalloc.start()
    try:
        checked = check(text, "f.yaml", load_catalog())
        return checked, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def nodes_and_depth(data: Any) -> tuple[int, int]:
    """Values within a value, itself included, and levels of lists and mappings."""
    below = data.values() if isinstance(data, dict) else data if isinstance(data, list) else None
    if below is None:
        return 1, 0
    counted = [nodes_and_depth(item) for item in below]
    return 1 + sum(nodes for nodes, _ in counted), 1 + max((depth for _, depth in counted), default=0)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONGEST else []) for name in WORST]
)
def test_what_is_reported_and_what_it_takes_has_an_end(name: str) -> None:
    assert MAX_BYTES // 4 < len(WORST[name]) <= MAX_BYTES

    checked, memory = measured(WORST[name])

    assert len(checked.problems) <= MAX_PROBLEMS
    assert len(checked.specs) + len(checked.broken) <= MAX_NODES + 1
    assert sum(len(f"{problem}") for problem in checked.problems) <= MAX_BYTES
    assert memory <= MOST_MEMORY


@pytest.mark.parametrize("name", WORST)
def test_what_is_read_stays_below_the_limits(name: str) -> None:
    counted = [nodes_and_depth(document.data) for document in read(WORST[name], "f.yaml").documents]

    assert sum(nodes for nodes, _ in counted) <= MAX_NODES + 1
    assert max((depth for _, depth in counted), default=0) <= MAX_DEPTH


def test_more_than_a_mebibyte_is_not_even_parsed() -> None:
    checked, memory = measured(b"a: [" + b"1," * MAX_BYTES)

    (problem,) = checked.problems
    assert "bytes are more than" in problem.what
    assert checked.broken == (None,)
    assert memory < MAX_BYTES


def test_of_very_many_problems_the_first_are_reported_and_how_many_more_there_are() -> None:
    checked, _ = measured(b"a:\n---\n" * 1000)

    assert len(checked.problems) == MAX_PROBLEMS
    assert checked.problems[-1].what == "4,001 more problems from here on"
    assert checked.problems[-1].severity is Severity.ERROR
    assert len(checked.broken) == 1000


def test_where_only_warnings_are_left_out_the_last_one_is_a_warning() -> None:
    checked, _ = measured((HEAD + CONFIG + b"---\n") * 1100)

    assert len(checked.specs) == 1100
    assert checked.problems[-1].what == "101 more problems from here on"
    assert checked.problems[-1].severity is Severity.WARNING
