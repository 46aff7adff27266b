"""Whole files, good and bad, and everything that is said of them: tests/cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Severity
from reconciler.sources.check import check
from tests.support.cases_expected import case_files, expected_file, outcome

GOOD, BAD = case_files("good"), case_files("bad")


@pytest.mark.parametrize("case", [*GOOD, *BAD], ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_a_case_is_read_as_the_text_next_to_it_says(case: Path) -> None:
    expected = expected_file(case).read_text(encoding="utf-8")

    assert outcome(case) == expected, "if this is meant: python -m tests.support.cases_expected"


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.stem)
def test_a_good_case_has_a_spec_and_no_error(case: Path) -> None:
    checked = check(case.read_bytes(), case.name, load_catalog())

    assert checked.specs
    assert not checked.broken
    assert all(problem.severity is Severity.WARNING for problem in checked.problems)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.stem)
def test_every_error_of_a_bad_case_has_a_place_and_a_fix_in_file_order(case: Path) -> None:
    checked = check(case.read_bytes(), case.name, load_catalog())

    assert checked.broken
    assert all(problem.location.line or "UTF" in problem.what for problem in checked.problems)
    assert all(problem.fix for problem in checked.problems)
    assert list(checked.problems) == sorted(checked.problems)
