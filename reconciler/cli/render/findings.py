"""Findings as people read them, and as JSON for programs."""

from __future__ import annotations

import click
import msgspec

from reconciler.cli.findings import Findings
from reconciler.errors import Problem, Severity
from reconciler.sources.yaml.document import printable

FORMAT = "reconciler.validate/1"


def findings_text(found: Findings) -> str:
    """Each problem with its fix, then the counts; without a newline at the end."""
    return "\n".join([*map(_problem, found.problems), summary(found)])


def _problem(problem: Problem) -> str:
    location = msgspec.structs.replace(problem.location, file=printable(problem.location.file))
    told = msgspec.structs.replace(problem, location=location)
    if problem.severity is Severity.ERROR:
        return str(told)
    place, rest = str(location), str(told).removeprefix(str(location))
    return f"{place}: {click.style('warning', fg='yellow')}{rest}"


def summary(found: Findings) -> str:
    """How much was looked at and how much is wrong, on one line."""
    errors, warnings = found.count(Severity.ERROR), found.count(Severity.WARNING)
    wrong = [_counted(errors, "error")] if errors else []
    wrong += [_counted(warnings, "warning")] if warnings else []
    colour = "red" if errors else "yellow" if warnings else "green"
    what = f"{_counted(len(found.files), 'file')}, {found.valid} valid"
    return click.style(f"{what}: {', '.join(wrong) or 'no problems'}", fg=colour, bold=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def findings_document(found: Findings) -> dict[str, object]:
    """The findings for programs."""
    return {
        "format": FORMAT,
        "exit_code": int(found.exit_code),
        "files": len(found.files),
        "strategies": found.strategies,
        "errors": found.count(Severity.ERROR),
        "warnings": found.count(Severity.WARNING),
        "problems": [
            {
                "file": problem.location.file,
                "line": problem.location.line,
                "column": problem.location.column,
                "path": problem.path,
                "what": problem.what,
                "fix": problem.fix,
                "severity": problem.severity.value,
            }
            for problem in found.problems
        ],
    }
