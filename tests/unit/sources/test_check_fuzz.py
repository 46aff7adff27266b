"""Whatever bytes a strategy file has: it is read, and what is said of it can be used."""

from __future__ import annotations

import math
import os
import random
import re
from collections.abc import Callable

import msgspec
import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Problem, Severity
from reconciler.sources.base import Checked
from reconciler.sources.check import check
from reconciler.sources.yaml.careful import CarefulReader
from reconciler.sources.yaml.document import LINE, MAX_PROBLEMS
from reconciler.sources.yaml.events import events
from reconciler.sources.yaml.reader import read
from tests.support.effort import amount
from tests.support.fuzz_inputs import INVENTIONS, MUTATIONS, inputs
from tests.support.long_results import TRIED

COUNT = amount(10_000, 1_000_000)
EACH = math.ceil(COUNT / len({*INVENTIONS, *MUTATIONS}))
SEED = 20_261_123 if "CI" in os.environ else random.randrange(1 << 32)
"""In CI the same inputs each time: a change must not fail there by luck. Elsewhere the search goes on."""

FILE = "strategies/fuzz.yaml"
LONGEST_PATH = 32 * 61
ENCODER = msgspec.json.Encoder(decimal_format="number")
LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What counts as a line in YAML."""


def wrong(text: bytes) -> str:
    """What is wrong with the answer to one input; empty if nothing is."""
    checked = check(text, FILE, load_catalog())
    if type(checked) is not Checked:
        return "not a Checked"
    problems = checked.problems
    if list(problems) != sorted(problems) or len(problems) > MAX_PROBLEMS:
        return "not in file order, or too many"
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    if failed != bool(checked.broken):
        return "an error without a broken document, or the other way round"
    if any(spec.location.file != FILE or spec.location.line < 1 for spec in checked.specs):
        return "a strategy without a place"
    ENCODER.encode(checked)
    lines = LINE_BREAK.split(text.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")) if problems else []
    return next(filter(None, (_wrong_with(problem, lines) for problem in problems)), "")


def _wrong_with(problem: Problem, lines: list[str]) -> str:
    place = problem.location
    if place.file != FILE or not 0 <= place.line <= len(lines):
        return f"a place outside of the file: {place}"
    if place.column > (len(lines[place.line - 1]) + 1 if place.line else 0):
        return f"a place beyond its line: {place}"
    if not problem.what or not problem.fix:
        return f"{place}: without words"
    for words, longest in ((problem.path, LONGEST_PATH), (problem.what, LINE), (problem.fix, LINE)):
        if not words.isprintable() or len(words) > longest:
            return f"{place}: more than a line of text: {words[:longest]!r}"
    return ""


@pytest.mark.scaled
@pytest.mark.parametrize("kind", [*INVENTIONS, *MUTATIONS])
def test_every_input_gets_an_answer_that_can_be_used(
    kind: str, record_property: Callable[[str, object], None]
) -> None:
    record_property(TRIED, f"{COUNT:,} inputs")
    for number, text in enumerate(inputs(kind, EACH, SEED)):
        said = wrong(text)
        assert not said, f"seed {SEED}, input {number}, {text!r}: {said}"


@pytest.mark.scaled
@pytest.mark.parametrize("kind", [*INVENTIONS, *MUTATIONS])
def test_what_is_read_quickly_is_what_careful_reading_gives(kind: str) -> None:
    for text in inputs(kind, EACH // 10, SEED):
        reading = read(text, FILE)
        if not reading.problems:
            careful = CarefulReader(text.removeprefix(b"\xef\xbb\xbf"), FILE, events)
            assert not careful.problems, f"seed {SEED}: {text!r}"
            assert repr(reading.documents) == repr(careful.documents), f"seed {SEED}: {text!r}"
