"""
SyncReport → text, JSON and exit code: what became of each strategy. Pure.

Rule 1: the exit code is derived from the report that is printed.
Rule 2: what did not end well is always told strategy by strategy; a crowd that did is one line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click

from reconciler.errors import ExitCode
from reconciler.model.report import ChangeResult, Outcome, StepResult, SyncReport
from reconciler.plan.render.json import document
from reconciler.plan.render.summary import counts, exit_code, word
from reconciler.plan.render.values import printable

FORMAT = "reconciler.report/1"

CROWD = 40
"""More confirmed strategies than this become one line: a screen holds no more."""

_MARKS = {Outcome.CONFIRMED: "✓", Outcome.FAILED: "✗", Outcome.UNKNOWN: "?", Outcome.SKIPPED: "·"}
_COLOURS = {
    Outcome.CONFIRMED: "green",
    Outcome.FAILED: "red",
    Outcome.UNKNOWN: "magenta",
    Outcome.SKIPPED: "yellow",
}


def report_exit_code(report: SyncReport) -> ExitCode:
    """0: all confirmed. 1: something failed or was skipped. 3: refused. 4: something is unknown. 2: still under way."""
    outcomes = {result.outcome for result in report.results}
    if report.refused:
        return ExitCode.REFUSED
    if Outcome.FAILED in outcomes:
        return ExitCode.ERROR
    if Outcome.UNKNOWN in outcomes:
        return ExitCode.UNKNOWN
    if Outcome.SKIPPED in outcomes:
        return ExitCode.ERROR
    left = exit_code(report.plan)
    done = left is ExitCode.CHANGES and report.results and not counts(report.plan)["waiting"]
    return ExitCode.OK if done else left


def report_text(report: SyncReport) -> str:
    """The report for people; ends without a newline."""
    return "\n".join(_lines(report))


def _lines(report: SyncReport) -> Iterator[str]:
    good = [result for result in report.results if result.outcome is Outcome.CONFIRMED]
    if len(good) > CROWD:
        names = ", ".join(str(result.change.key) for result in good[:3])
        yield f"  {_mark(Outcome.CONFIRMED)} {names} and {len(good) - 3} more"
    for result in report.results:
        if result.outcome is not Outcome.CONFIRMED or len(good) <= CROWD:
            yield _line(result)
    number = Counter(result.outcome for result in report.results)
    ends = ", ".join(f"{number[outcome]} {outcome}" for outcome in Outcome if number[outcome])
    yield click.style(f"Applied: {ends or 'nothing'}, in {report.duration_s:.1f} s.", bold=True)


def _line(result: ChangeResult) -> str:
    start = f"  {_mark(result.outcome)} {result.change.key!s:<16} {word(result.change.action):<8}"
    if result.outcome is Outcome.CONFIRMED:
        return f"{start} {_steps(result)}"
    return f"{start} {_steps(result)} {result.outcome}: {printable(_why(result.steps[-1]))}"


def _steps(result: ChangeResult) -> str:
    return ", ".join(step.op.value for step in result.steps)


def _why(step: StepResult) -> str:
    """The bot's own words, and how often it was asked."""
    tries = f" ({step.attempts} tries)" if step.attempts > 1 else ""
    return f"{f'{step.code}: ' if step.code else ''}{step.message}{tries}"


def _mark(outcome: Outcome) -> str:
    return click.style(_MARKS[outcome], fg=_COLOURS[outcome])


def report_document(report: SyncReport) -> dict[str, object]:
    """The report for programs; its plan is as `plan -o json` shows it."""
    number = Counter(result.outcome for result in report.results)
    return {
        "format": FORMAT,
        "exit_code": int(report_exit_code(report)),
        "refused": report.refused,
        "duration_s": round(report.duration_s, 3),
        "summary": {outcome.value: number[outcome] for outcome in Outcome},
        "results": [_result_document(result) for result in report.results],
        "plan": document(report.plan, refused=report.refused),
    }


def _result_document(result: ChangeResult) -> dict[str, object]:
    return {
        "target": result.change.target,
        "name": result.change.name,
        "action": word(result.change.action),
        "outcome": result.outcome.value,
        "message": result.message,
        "steps": result.steps,
    }
