"""
Findings as GitHub shows them beside the changed lines: workflow commands on stdout, one for each problem.

Source of the form and its escapes: GitHub, "Workflow commands for GitHub Actions", and the runner's own parser.
"""

from __future__ import annotations

from reconciler.cli.findings import Findings
from reconciler.cli.render.findings import summary
from reconciler.errors import Problem

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})
"""The runner reads a property up to the next comma, and all of them up to the next colon."""


def findings_github(found: Findings) -> str:
    """An annotation for each problem, then the counts; without a newline at the end."""
    return "\n".join([*(_annotation(problem, found) for problem in found.problems), summary(found)])


def _annotation(problem: Problem, found: Findings) -> str:
    place = problem.location
    properties = {
        "file": found.from_root(place.file),
        "line": place.line or "",
        "col": place.column or "",
        "title": problem.path,
    }
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value)
    message = f"{problem.what}\nfix: {problem.fix}".translate(_DATA)
    return f"::{problem.severity.value} {given}::{message}"


def _property(text: str) -> str:
    return text.translate(_PROPERTY)
