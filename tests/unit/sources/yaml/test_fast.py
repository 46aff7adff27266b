"""Files that need no parser say without one what they say with one, and all others are left to it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fleet import file_text
from reconciler.sources.yaml.careful import CarefulReader
from reconciler.sources.yaml.document import MAX_DEPTH, MAX_NODES
from reconciler.sources.yaml.events import NextEvent, events, pure_events
from reconciler.sources.yaml.fast import read_fast
from reconciler.sources.yaml.reader import read
from reconciler.sources.yaml.scalars import WORDS
from tests.support.effort import amount
from tests.support.fuzz_inputs import SLIPS, characters, noise, sources, tokens

PIECES = (
    "a", "b", "ab_c-d", "true", "null", "Null", "n", "_", "<<", "0", "1", "-1", "+7", ".5", "0.10", "1e-3", "0x1F", "1_0", ".inf",
    "-", "--", "---", "...", ".", "..", "BTC-USDT", "0.1%", "50 bps", "12:30", "a, b", "(x)", "=", "k=v", "~", "no", "x y  z",
    "'", '"', "''", '""', "'a b'", '"a # b"', '"\\n"', "'it''s'", "#", " #", "# c", " # c: d", ":", ": ", " :", "a:", "a: ", "a:b",
    "-x", "- x", "[1]", "{}", "|", ">", "&a", "*a", "!t", "%", "@", "`", ",", "?", "\n", "\n", "\n", "\n  ", "\n  ", "\n    ",
    " ", "  ", "\t", "\r", "é", "\x7f", "\0",
)  # fmt: skip
"""What lines of this kind are made of, and what they must not be taken for."""

LINES = st.builds(
    lambda depth, key, colon, value, end: f"{' ' * depth}{key}{colon}{value}{end}",
    st.integers(0, 4),
    st.sampled_from(["a", "b", "c", "d_e", "true", "", "#", "1", "a b"]),
    st.sampled_from([": ", ": ", ": ", ":", ":  ", " : ", ""]),
    st.sampled_from(PIECES),
    st.sampled_from(["", "", "", " ", " # why", "#x", "\r", ":"]),
)


def parser(text: bytes) -> NextEvent:
    """The parser that is used; named, so that nothing is read without it."""
    return events(text)


def same_as_parsed(text: bytes) -> bool:
    """Whether it was read; if so, a parser reads the same and finds nothing wrong."""
    found = read_fast(text, "f.yaml")
    if found is not None:
        parsed = read(text, "f.yaml", events=parser)
        assert not parsed.problems, text
        assert repr(found) == repr(parsed.documents), text
    return found is not None


@settings(max_examples=amount(200, 20_000))
@given(st.lists(LINES, max_size=8), st.sampled_from(["", "\n"]))
def test_lines_say_what_a_parser_says(lines: list[str], end: str) -> None:
    same_as_parsed(("\n".join(lines) + end).encode())


@settings(max_examples=amount(200, 20_000))
@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join))
def test_pieces_in_any_order_say_what_a_parser_says(text: str) -> None:
    same_as_parsed(text.encode())


@pytest.mark.parametrize("make", [noise, tokens, characters])
def test_no_noise_is_taken_for_a_file(make) -> None:
    rng = random.Random(7)
    for _ in range(3_000):
        same_as_parsed(make(rng))


@pytest.mark.parametrize("value", [*SLIPS, *PIECES, *filter(None, WORDS)])
def test_a_value_means_what_it_means_to_a_parser(value: str) -> None:
    for text in (f"a: {value}\n", f"a:\n  b: {value}\nc: d", f"{value}: a\n", f"a:  {value}  # why\n"):
        same_as_parsed(text.encode(errors="surrogatepass"))


def test_the_projects_own_files_say_what_a_parser_says() -> None:
    taken = [same_as_parsed(text) for text in sources()]

    assert any(taken)


def test_files_as_people_write_them_need_no_parser() -> None:
    assert same_as_parsed(file_text(7).encode())
    assert same_as_parsed(b"# first\n\na: 1   # why\nb:\n\n  # two\n  c: x y\n  d: 'e f'\ng: \"h # i\"")
    assert same_as_parsed(b"  a: -1\n  b:\n      c: x (y), z\n  d: 0.1%   ")


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "# only\n", "a:\n", "a: 1\na: 2\n", "a:\nb: 1\n", "a: 1\n b: 2\n", "a:\n  b: 1\n c: 2\n", "a: b: c\n",
        "a: 1\n---\nb: 2\n", "a: [1]\n", "- a\n", "a: |\n  x\n", "a: 1\n  2\n", 'a: "\\n"\n', "a: é\n", "a:\t1\n", "a: 1\r\n",
        "true: 1\n", "a: 1_0\n", "a: .nan\n", "a: 1e999\n", "a: !t 1\n", "%YAML 1.2\n", "a\n", "a : 1\n", "a: 1#b: 2\n\x00",
    ],
)  # fmt: skip
def test_what_is_not_of_this_kind_is_left_to_the_parser(text: str) -> None:
    assert read_fast(text.encode(), "f.yaml") is None


def test_files_of_the_same_lines_share_nothing_that_can_be_changed() -> None:
    text = b"a:\n  b: 1\nc: x\n"
    (first,), (second,) = read_fast(text, "f.yaml") or [], read_fast(text, "g.yaml") or []

    first.data["a"]["b"] = 2
    first.data["c"] = "y"

    assert second.data == {"a": {"b": 1}, "c": "x"}


@pytest.mark.parametrize("length", [150, 199, 200, 201, 2_000])
def test_a_line_means_the_same_however_long_it_is_and_however_often_it_comes(length: int) -> None:
    for text in (f"a: {'x' * length}\nb: 1\n", f"a: 1\n# {'x' * length}\nb: 2\n", f"a: '{'x ' * length}'\n"):
        assert same_as_parsed(text.encode())
        assert same_as_parsed(text.encode())
        assert not same_as_parsed(f"{text}\x01".encode())


def test_the_deepest_mapping_is_as_deep_as_with_a_parser() -> None:
    def nested(levels: int) -> bytes:
        return "\n".join(f"{' ' * depth}a:" for depth in range(levels)).encode() + b" 1\n"

    assert same_as_parsed(nested(MAX_DEPTH))
    assert not same_as_parsed(nested(MAX_DEPTH + 1))
    assert read(nested(MAX_DEPTH + 1), "f.yaml").problems


@pytest.mark.parametrize(
    "tail", [" " * MAX_NODES, "x " * 20_000, "a" * MAX_NODES, "'" * 20_000, "#" * 20_000, "\n" * 40_000]
)
def test_no_text_takes_long(tail: str) -> None:
    """Were anything tried again for each character, this would take minutes: the suite's own limit is the judge."""
    for start in ("", "a: ", "a: b", "a: '", 'a: "', "a: b #"):
        for end in ("", "\x01", "\n", "\x01\nb: 1\n"):
            same_as_parsed((start + tail + end).encode()[:MAX_NODES])


def test_a_parser_that_is_named_is_used() -> None:
    text = file_text(1).encode()

    assert read(text, "f", events=pure_events) == read(text, "f")
    assert read(text, "f").documents == CarefulReader(text, "f", events).documents
