"""Results of `agent doctor` → a table, a document, an exit code."""

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
    """1 if anything is missing; warnings do not count."""
    return ExitCode.ERROR if _count(findings, CheckVerdict.MISSING) else ExitCode.OK


def diagnosis_text(findings: Sequence[CheckResult]) -> str:
    """The table and its sum, without a newline at its end."""
    checks = max(len("CHECK"), *(len(finding.check) for finding in findings))
    verdicts = max(map(len, CheckVerdict))
    indent = " " * (checks + verdicts + 4)
    lines = [f"{'CHECK':<{checks}}  {'':<{verdicts}}  SEEN"]
    for finding in findings:
        first, *rest = textwrap.wrap(
            finding.seen, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False
        )
        verdict = click.style(f"{finding.verdict:<{verdicts}}", fg=_COLOURS[finding.verdict])
        lines += [f"{finding.check:<{checks}}  {verdict}  {first}", *(f"{indent}{line}" for line in rest)]
        lines += [f"{indent}fix: {finding.fix}"] if finding.fix else []
    missing, warnings = _count(findings, CheckVerdict.MISSING), _count(findings, CheckVerdict.WARNING)
    colour = "red" if missing else "yellow" if warnings else "green"
    total = f"{missing} missing, {warnings} warning{'' if warnings == 1 else 's'}"
    nothing = not missing and not warnings
    return "\n".join([*lines, click.style("nothing is missing" if nothing else total, fg=colour, bold=True)])


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
