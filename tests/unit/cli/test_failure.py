"""Warnings next to errors: which is reported first, how they are marked, and how many are shown next to a result."""

from __future__ import annotations

import pytest

from reconciler.cli.failure import explain, print_problems
from reconciler.errors import ExitCode, InvalidFiles, Location, Problem, Severity
from reconciler.notify.events import invalid_event

WARNING = Problem(Location("s/a.yaml", 1, 2), "owner", "is missing", "add it", Severity.WARNING)
ERROR = Problem(Location("s/b.yaml", 3, 4), "exchange", "kraken is not allowed", "write binance")


def test_a_refused_commit_is_reported_with_an_error_even_if_a_warning_stands_before_it() -> None:
    message = invalid_event([WARNING, ERROR], "0123456789").message

    assert "s/b.yaml:3:4: exchange: kraken is not allowed; fix: write binance (and 1 more)" in message


def test_of_several_errors_the_first_is_reported() -> None:
    assert (
        "s/a.yaml"
        in invalid_event([Problem(Location("s/a.yaml"), "", "x", "y"), ERROR], "0123456789").message
    )


def test_a_warning_next_to_errors_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    code = explain(InvalidFiles([WARNING, ERROR]))

    assert code == ExitCode.INVALID
    assert capsys.readouterr().err.splitlines() == [
        "s/a.yaml:1:2: warning: owner: is missing",
        "    fix: add it",
        "s/b.yaml:3:4: exchange: kraken is not allowed",
        "    fix: write binance",
        "error: 1 problem in strategy files",
    ]


def test_next_to_a_result_only_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems([WARNING] * 25)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 41
    assert lines[-1] == "and 5 more problems; `reconciler validate` shows them all"
