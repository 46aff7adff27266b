"""The strict reader: what it takes, what it refuses with place and fix, and that nothing makes it fall over."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import Location
from reconciler.sources.documents import MAX_BYTES, is_strategy_file, locate, read


def value_of(text: str):
    documents, problems = read(f"a: {text}\n".encode(), "f.yaml")
    assert not problems
    return documents[0].data["a"]


def problem_of(text: str | bytes):
    documents, problems = read(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    assert not documents
    return problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("2026-11-23", "2026-11-23"),
        ("12:30:45", "12:30:45"),
        ("0.10", Decimal("0.10")),
        ("1e-3", Decimal("0.001")),
        (".5", Decimal("0.5")),
        ("-1.", Decimal(-1)),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("+7", 7),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'0.1'", "0.1"),
        ('"true"', "true"),
        ("0.1%", "0.1%"),
        ("[1, x]", [1, "x"]),
        ("{b: 1}", {"b": 1}),
        ("-", [None]),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars_mean_what_the_core_schema_says(text: str, value: object) -> None:
    if text == "-":
        text = "\n  -"
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a: 1\na: 2\n", (2, 1), "a second time"),
        ("a: &x 1\n", (1, 4), "anchor &x"),
        ("a: *x\n", (1, 4), "alias *x"),
        ("<<: {a: 1}\n", (1, 1), "merge key"),
        ("a: !!str 1\n", (1, 4), "tag"),
        ("a: .nan\n", (1, 4), "not a number to trade with"),
        ("a: -.inf\n", (1, 4), "not a number to trade with"),
        ("1: a\n", (1, 1), "not text"),
        ("true: a\n", (1, 1), "not text"),
        ("? [a]\n: b\n", (1, 3), "not plain text"),
        ("a: 1_000\n", (1, 4), "_ between its digits"),
        ("a: 1e999999999\n", (1, 4), "out of any range"),
        ("a: " + "9" * 60 + "\n", (1, 4), "out of any range"),
        ("a:\tb: c\n", (1, 5), "not YAML"),
        ("a: [1\n", (2, 1), "not YAML"),
        ("- a\n", (1, 1), "mapping of fields"),
        ("a: {" * 40 + "}" * 40, (1, 128), "levels deep"),
    ],
)
def test_what_could_mean_something_else_is_refused_at_its_place(text: str, place, what: str) -> None:
    problem = problem_of(text)

    assert (problem.location.line, problem.location.column) == place
    assert what in problem.what
    assert problem.fix


def test_all_problems_of_a_file_are_told_at_once() -> None:
    _, problems = read(b"a: 1\nb: *x\na: 2\nc: 1_0\n", "f.yaml")

    assert [problem.location.line for problem in problems] == [2, 3, 4]


def test_a_problem_names_the_way_to_the_value() -> None:
    assert problem_of("config:\n  levels:\n    - {spread: .nan}\n").path == "config.levels.0.spread"


def test_byte_order_mark_and_crlf_are_fine() -> None:
    documents, problems = read(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "f.yaml")

    assert (documents[0].data, problems) == ({"a": 1, "b": "x"}, [])


def test_a_stream_gives_one_document_each_and_skips_empty_ones() -> None:
    documents, problems = read(b"# only a comment\n---\na: 1\n---\n---\na: 2\n", "f.yaml")

    assert not problems
    assert [(document.index, document.line, document.data["a"]) for document in documents] == [
        (0, 3, 1),
        (2, 6, 2),
    ]


def test_too_large_a_file_is_not_even_parsed() -> None:
    assert "more than the" in problem_of(b"#" * (MAX_BYTES + 1)).what


def test_too_many_values_are_refused() -> None:
    assert "more than 50,000 values" in problem_of("a: [" + "[]," * 50_001 + "]").what


def test_a_file_that_is_not_text_says_so() -> None:
    assert problem_of(b"a: \xff\xfe\n").fix


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("a",), True, (2, 1)),
        (("a",), False, (2, 4)),
        (("b", "c"), True, (4, 3)),
        (("b", "l", 1), False, (5, 10)),
        (("b", "missing"), False, (3, 1)),
        (("missing",), False, (2, 1)),
    ],
)
def test_places_are_found_again_when_they_are_needed(path, key: bool, place) -> None:
    text = b"# first\na: 1\nb:\n  c: 2\n  l: [1, 2]\n"

    found = locate(text, "f.yaml", 0, path, key=key)

    assert found == Location("f.yaml", *place)


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("btc.yaml", True),
        ("desk/btc.yml", True),
        ("_drafts/btc.yaml", False),
        ("_btc.yaml", False),
        (".hidden.yaml", False),
        ("README.md", False),
    ],
)
def test_drafts_and_hidden_files_are_no_strategies(path: str, ours: bool) -> None:
    assert is_strategy_file(path) is ours


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.decimals(-(10**6), 10**6, places=4)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), inner)
    ),
    max_leaves=12,
)


class _Dumper(yaml.SafeDumper):
    """Writes Decimals as plain numbers."""


_Dumper.add_representer(
    Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:f}")
)
_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), plain, min_size=1, max_size=5))
def test_what_another_program_writes_comes_back_the_same(data) -> None:
    text = yaml.dump(data, Dumper=_Dumper, allow_unicode=True).encode()

    documents, problems = read(text, "f.yaml")

    assert not problems
    assert documents[0].data == data


GOOD = b"strategy_type: pure_market_making\nconfig:\n  a: [1, {b: 0.1}]\n  c: 'x'\n---\nd: e\n"


@settings(max_examples=2000)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(text: bytes) -> None:
    read(text, "f.yaml")


def test_no_damage_to_a_good_file_raises_anything() -> None:
    chance = random.Random(20261123)
    for _ in range(3000):
        text = bytearray(GOOD)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(text))
            text[place : place + chance.randint(0, 3)] = chance.choice(
                [b"\t", b":", b"&a", b"*a", b"{", b"]", b"\n", b"- ", b"!", b"\x00", b"%", b"|", b"1_0"]
            )
        read(bytes(text), "f.yaml")
