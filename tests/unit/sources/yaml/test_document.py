"""The strict reader: what it takes, what it refuses with place and fix, and that nothing makes it fall over."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import Location
from reconciler.sources.base import is_strategy_file
from reconciler.sources.yaml.careful import CarefulReader
from reconciler.sources.yaml.document import MAX_BYTES
from reconciler.sources.yaml.events import events, pure_events
from reconciler.sources.yaml.fast import read_fast
from reconciler.sources.yaml.reader import Places, read
from tests.support.effort import amount


def value_of(text: str):
    reading = read(f"a: {text}\n".encode(), "f.yaml")
    assert not reading.problems
    return reading.documents[0].data["a"]


def problem_of(text: str | bytes):
    reading = read(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    assert not reading.whole or all(document.refused for document in reading.documents)
    return reading.problems[0]


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
        (".nan: a\n", (1, 1), "not text"),
        ("? [a]\n: b\n", (1, 3), "not text"),
        ("a: {{ b }}\n", (1, 5), "not text"),
        ("? \n: 1\n", (1, 2), "without a name"),
        ("a: 1_000\n", (1, 4), "_ between its digits"),
        ("a: 1_0e3\n", (1, 4), "_ between its digits"),
        ("a: 1e999999999\n", (1, 4), "out of any range"),
        ("a: 1e-401\n", (1, 4), "out of any range"),
        ("a: 1e" + "9" * 90 + "\n", (1, 4), "out of any range"),
        ("a: " + "9" * 60 + "\n", (1, 4), "out of any range"),
        ("a: 0." + "9" * 60 + "\n", (1, 4), "out of any range"),
        ("- a\n", (1, 1), "mapping of fields"),
        ("*x\n", (1, 1), "alias *x"),
        ("%YAML 1.1\n---\na: no\n", (1, 1), "directive"),
        ("%TAG !e! tag:e.org,2000:\n---\na: 1\n", (1, 1), "directive"),
        ("a: {" * 40 + "}" * 40, (1, 128), "levels deep"),
    ],
)
def test_what_could_mean_something_else_is_refused_at_its_place(text: str, place, what: str) -> None:
    problem = problem_of(text)

    assert (problem.location.line, problem.location.column) == place
    assert what in problem.what
    assert problem.fix


@pytest.mark.parametrize(
    ("text", "place", "cause"),
    [
        ("a:\n\tb: 1\n", (2, 1), "a tab"),
        ("a:\n  b: 1\n\tc: 2\n", (3, 1), "a tab"),
        ("a: @x\n", (1, 4), "cannot begin with @"),
        ("a: `x`\n", (1, 4), "cannot begin with `"),
        ("a: 1\nhello\nb: 2\n", (2, 1), "without a colon"),
        ("a: b: c\n", (1, 5), "a colon where no field can begin"),
        ("a:\n  b: 1\n c: 2\n", (3, 2), "does not line up"),
        ("a: - b\n", (1, 4), "a list cannot begin here"),
        ("a:\n- b\n  c: 1\n- d\n e\n", (3, 4), "a colon where"),
        ("a: 'x\nb: 1\n", (1, 4), "never closed"),
        ('a: "x\n---\nb: 1\n', (1, 4), "not closed before the next ---"),
        ('a: "\\q"\n', (1, 5), "backslash"),
        ('a: "\\ud800"\n', (1, 7), "names no character"),
        ("a: [1\nb: 2\n", (1, 4), "list that is not closed"),
        ("a: {b: 1\nc: 2\n", (1, 4), "mapping that is not closed"),
        ("a: ]\n", (1, 4), "cannot begin with ]"),
        ("a: 1\n...\nb: 2\n", (3, 1), "belongs to nothing"),
        ("a: &\n", (1, 4), "& without a name"),
        ("a: |x\n  b\n", (1, 5), "not YAML"),
        ("a: b\x07\n", (1, 5), "invisible character"),
        (b"a: b\nc: \xff\n", (2, 4), "not UTF-8"),
    ],
)
def test_what_is_no_yaml_is_reported_by_its_cause_at_the_place_to_fix(text, place, cause) -> None:
    problem = problem_of(text)

    assert (problem.location.line, problem.location.column) == place
    assert cause in problem.what
    assert problem.fix


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    reading = read(b"a: 1\nb: *x\na: 2\nc: 1_0\n---\n<<: {}\n", "f.yaml")

    assert [problem.location.line for problem in reading.problems] == [2, 3, 4, 6]
    assert reading.whole


def test_what_is_refused_is_marked_and_the_rest_is_there() -> None:
    (document, other) = read(b"a: *x\nb: {<<: {c: 1}, d: 2}\n---\ne: 1\n", "f.yaml").documents

    assert document.refused == (("a",), ("b", "<<"))
    assert document.data["b"] == {"d": 2}
    assert (other.data, other.refused) == ({"e": 1}, ())


def test_documents_before_a_syntax_error_are_read_and_it_is_said_that_there_may_be_more() -> None:
    reading = read(b"a: 1\n---\nb: [\n", "f.yaml")

    assert [document.data for document in reading.documents] == [{"a": 1}]
    assert not reading.whole


def test_a_problem_names_the_way_to_the_value() -> None:
    assert problem_of("config:\n  levels:\n    - {spread: .nan}\n").path == "config.levels.0.spread"


def test_byte_order_mark_and_crlf_are_fine() -> None:
    reading = read(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "f.yaml")

    assert (reading.documents[0].data, reading.problems) == ({"a": 1, "b": "x"}, [])


def test_utf_16_is_named_as_such() -> None:
    assert problem_of("a: 1\n".encode("utf-16")).what == "UTF-16 text"


@pytest.mark.parametrize(("text", "value"), [("9" * 19, 10**19 - 1), ("0x" + "F" * 30, 16**30 - 1)])
def test_a_whole_number_too_large_for_encoders_stays_exact(text: str, value: int) -> None:
    assert value_of(text) == value
    assert msgspec.msgpack.encode(value_of(text))


def test_a_stream_gives_one_document_each_and_skips_empty_ones() -> None:
    reading = read(b"# only a comment\n---\na: 1\n---\n---\na: 2\n", "f.yaml")

    assert not reading.problems
    assert [(document.index, document.line, document.data["a"]) for document in reading.documents] == [
        (0, 3, 1),
        (2, 6, 2),
    ]


def test_too_large_a_file_is_not_even_parsed() -> None:
    assert "more than the" in problem_of(b"#" * (MAX_BYTES + 1)).what


@pytest.mark.parametrize("value", ["[]", "1", "~", "{a}"])
def test_too_many_values_are_refused(value: str) -> None:
    assert "more than 50,000 values" in problem_of("a: [" + f"{value}," * 50_001 + "]").what


def test_as_many_values_as_are_allowed_are_read() -> None:
    assert len(value_of("[" + "1," * 49_990 + "]")) == 49_990


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

    found = Places(text, "f.yaml").of(0, path, key=key)

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

    reading = read(text, "f.yaml")

    assert not reading.problems
    assert reading.documents[0].data == data


PIECES = ["a", "b: ", "c: 1", "0.10", "- ", "\n", "  ", "[", "]", "{", "}", ",", "'x'", '"y"', "no", "~"]
PIECES += ["&x ", "*x", "!t ", "<<: ", "? ", ": ", "1_0", ".nan", "true", "---\n", "# n\n", "|\n", "\t", "%"]
scraps = st.lists(st.sampled_from(PIECES), max_size=24).map("".join).map(str.encode)


@settings(max_examples=amount(300, 30_000))
@given(scraps)
def test_the_fast_reader_and_the_careful_one_read_the_same_or_the_fast_one_gives_up(text: bytes) -> None:
    fast, careful = read_fast(text, "f.yaml"), CarefulReader(text, "f.yaml", events)

    if fast is None:
        return
    assert fast == careful.documents
    assert not careful.problems


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), plain, min_size=1, max_size=5))
def test_without_libyaml_the_same_is_read(data) -> None:
    text = yaml.dump(data, Dumper=_Dumper, allow_unicode=True).encode()

    assert read(text, "f.yaml", events=pure_events) == read(text, "f.yaml")


@pytest.mark.parametrize("text", [b"a: [1\n", b"a: &x 1\n", b'a: "\\ud800"\n', b"a: \xff\n", b"a: 'b\n"])
def test_without_libyaml_the_same_is_refused(text: bytes) -> None:
    pure, libyaml = read(text, "f.yaml", events=pure_events), read(text, "f.yaml")

    assert [problem.what for problem in pure.problems] == [problem.what for problem in libyaml.problems]


GOOD = b"strategy_type: pure_market_making\nconfig:\n  a: [1, {b: 0.1}]\n  c: 'x'\n---\nd: e\n"


@settings(max_examples=amount(200, 20_000))
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
