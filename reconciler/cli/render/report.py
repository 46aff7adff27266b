"""
SyncReport → text, JSON and exit code: what became of each strategy.

Rule 1: the exit code is derived from the report that is printed.
Rule 2: what did not end well is always shown strategy by strategy; a crowd that did is one line.
"""

from __future__ import annotations

from collections import Counter

import click

from reconciler.errors import ExitCode
from reconciler.model.report import ChangeResult, Outcome, SyncReport
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
    good = [result for result in report.results if result.outcome is Outcome.CONFIRMED]
    lines = []
    if len(good) > CROWD:
        names = ", ".join(str(result.change.key) for result in good[:3])
        lines.append(f"  {_mark(Outcome.CONFIRMED)} {names} and {len(good) - 3} more")
    lines += [
        _line(result)
        for result in report.results
        if result.outcome is not Outcome.CONFIRMED or len(good) <= CROWD
    ]
    number = Counter(result.outcome for result in report.results)
    ends = ", ".join(f"{number[outcome]} {outcome}" for outcome in Outcome if number[outcome])
    total = f"Applied: {ends or 'nothing'}, in {report.duration_s:.1f} s."
    return "\n".join([*lines, click.style(total, bold=True)])


def _line(result: ChangeResult) -> str:
    """A strategy, its steps, and of what did not end well the bot's own words and how often it was asked."""
    start = f"  {_mark(result.outcome)} {result.change.key!s:<16} {word(result.change.action):<8}"
    steps = ", ".join(step.op.value for step in result.steps)
    if result.outcome is Outcome.CONFIRMED:
        return f"{start} {steps}"
    last = result.steps[-1]
    tries = f" ({last.attempts} tries)" if last.attempts > 1 else ""
    why = f"{f'{last.code}: ' if last.code else ''}{last.message}{tries}"
    return f"{start} {steps} {result.outcome}: {printable(why)}"


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
        "results": [
            {
                "target": result.change.target,
                "name": result.change.name,
                "action": word(result.change.action),
                "outcome": result.outcome.value,
                "message": result.message,
                "steps": result.steps,
            }
            for result in report.results
        ],
        "plan": document(report.plan, refused=report.refused),
    }
