"""What `agent doctor` found → a table, a document, an exit code. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from reconciler.agent.doctor.verdicts import CheckResult, CheckVerdict
from reconciler.errors import ExitCode

FORMAT = "reconciler.doctor/1"

_COLOURS = {CheckVerdict.OK: "green", CheckVerdict.WARNING: "yellow", CheckVerdict.MISSING: "red"}

_WIDTH = 110
"""Columns of the whole table: what was seen is wrapped, a fix never is, so that it can be copied."""


def diagnosis_exit_code(findings: Sequence[CheckResult]) -> ExitCode:
    """1 if anything is missing; warnings are none of it."""
    return ExitCode.ERROR if _count(findings, CheckVerdict.MISSING) else ExitCode.OK


def diagnosis_text(findings: Sequence[CheckResult]) -> str:
    """The table and its sum, without a newline at its end."""
    checks = max(len("CHECK"), *(len(finding.check) for finding in findings))
    verdicts = max(map(len, CheckVerdict))
    head = f"{'CHECK':<{checks}}  {'':<{verdicts}}  SEEN"
    lines = [line for finding in findings for line in _lines(finding, checks, verdicts)]
    return "\n".join([head, *lines, _sum(findings)])


def _lines(finding: CheckResult, checks: int, verdicts: int) -> list[str]:
    indent = " " * (checks + verdicts + 4)
    first, *rest = textwrap.wrap(
        finding.seen, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False
    )
    verdict = click.style(f"{finding.verdict:<{verdicts}}", fg=_COLOURS[finding.verdict])
    lines = [f"{finding.check:<{checks}}  {verdict}  {first}", *(f"{indent}{line}" for line in rest)]
    return [*lines, f"{indent}fix: {finding.fix}"] if finding.fix else lines


def _sum(findings: Sequence[CheckResult]) -> str:
    missing, warnings = _count(findings, CheckVerdict.MISSING), _count(findings, CheckVerdict.WARNING)
    if not missing and not warnings:
        return click.style("nothing is missing", fg="green", bold=True)
    text = f"{missing} missing, {warnings} warning{'' if warnings == 1 else 's'}"
    return click.style(text, fg="red" if missing else "yellow", bold=True)


def _count(findings: Sequence[CheckResult], verdict: CheckVerdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)


def diagnosis_document(findings: Sequence[CheckResult]) -> dict[str, object]:
    """The findings for programs."""
    return {
        "format": FORMAT,
        "exit_code": int(diagnosis_exit_code(findings)),
        "checks": [
            {"check": one.check, "verdict": one.verdict.value, "seen": one.seen, "fix": one.fix}
            for one in findings
        ],
    }
