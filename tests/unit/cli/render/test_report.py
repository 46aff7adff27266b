"""A report's words and exit code say what became of each strategy."""

from __future__ import annotations

import click
import pytest

from reconciler.cli.render.report import CROWD, report_document, report_exit_code, report_text
from reconciler.errors import ExitCode
from reconciler.model.change import Action, Change, Op, Plan, Reason, Step
from reconciler.model.report import ChangeResult, Outcome, StepResult, SyncReport


def change(name: str = "btc", action: Action = Action.CREATE) -> Change:
    steps = (Step(Op.CREATE),) if action.acts else ()
    return Change("default", name, action, Reason.NEW, steps=steps)


def result(outcome: Outcome, name: str = "btc", *, code: str = "", message: str = "") -> ChangeResult:
    return ChangeResult(change(name), outcome, (StepResult(Op.CREATE, outcome, code=code, message=message),))


def report(*results: ChangeResult, more: tuple[Change, ...] = (), refused: str = "") -> SyncReport:
    changes = (*(one.change for one in results), *more)
    return SyncReport(Plan("abc", "main", changes, 0), results, refused=refused)


CONFIRMED, FAILED, UNKNOWN, SKIPPED = (result(outcome, outcome.value) for outcome in Outcome)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (report(), ExitCode.OK),
        (report(CONFIRMED), ExitCode.OK),
        (report(CONFIRMED, FAILED, UNKNOWN), ExitCode.ERROR),
        (report(CONFIRMED, UNKNOWN, SKIPPED), ExitCode.UNKNOWN),
        (report(CONFIRMED, SKIPPED), ExitCode.ERROR),
        (report(CONFIRMED, more=(change("x", Action.WAIT),)), ExitCode.CHANGES),
        (report(CONFIRMED, more=(change("x", Action.UNKNOWN),)), ExitCode.UNKNOWN),
        (report(CONFIRMED, more=(change("x", Action.BLOCKED),)), ExitCode.OK),
        (report(more=(change("x"),), refused="too big"), ExitCode.REFUSED),
    ],
)
def test_the_exit_code_is_the_gravest_thing_that_happened(made: SyncReport, code: ExitCode) -> None:
    assert report_exit_code(made) is code
    assert report_document(made)["exit_code"] == code


def test_a_failure_is_reported_with_the_bots_own_words() -> None:
    made = report(CONFIRMED, result(Outcome.FAILED, "eth", code="INVALID_CONFIG", message="spread \x1b[31m"))

    text = click.unstyle(report_text(made).splitlines()[1])

    assert text == "  ✗ eth              create   create failed: INVALID_CONFIG: spread \\u001b[31m"


def test_a_crowd_that_went_well_is_one_line_and_failures_are_never_hidden() -> None:
    crowd = [result(Outcome.CONFIRMED, f"mm-{number:03}") for number in range(CROWD + 1)]

    lines = click.unstyle(report_text(report(*crowd, FAILED))).splitlines()

    assert lines[0] == "  ✓ mm-000, mm-001, mm-002 and 38 more"
    assert "failed" in lines[1]
    assert lines[2] == "Applied: 41 confirmed, 1 failed, in 0.0 s."
