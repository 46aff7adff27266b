"""
Findings as text for people, JSON for programs, annotations for GitHub, and JUnit's XML for other CI services.

Source of GitHub's form and its escapes: GitHub, "Workflow commands for GitHub Actions", and the runner's own parser.
"""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import click
import msgspec

from reconciler.cli.findings import Findings
from reconciler.errors import Problem, Severity
from reconciler.sources.yaml.document import printable

FORMAT = "reconciler.validate/1"

_GITHUB_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_PROPERTY = _GITHUB_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})
"""The runner reads a property up to the next comma, and all of them up to the next colon."""

JUNIT_SUITE = "reconciler validate"

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""


def findings_text(found: Findings) -> str:
    """Each problem with its fix, then the counts; without a newline at the end."""
    lines = []
    for given in found.problems:
        location = msgspec.structs.replace(given.location, file=printable(given.location.file))
        text = str(msgspec.structs.replace(given, location=location))
        if given.severity is Severity.WARNING:
            place = str(location)
            text = f"{place}: {click.style('warning', fg='yellow')}{text.removeprefix(place)}"
        lines.append(text)
    return "\n".join([*lines, _summary(found)])


def _summary(found: Findings) -> str:
    """How much was checked and how much is wrong, on one line."""
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


def findings_github(found: Findings) -> str:
    """An annotation next to the changed lines for each problem, then the counts; without a newline at the end."""
    lines = []
    for problem in found.problems:
        place = problem.location
        properties = {
            "file": found.from_root(place.file),
            "line": place.line or "",
            "col": place.column or "",
            "title": problem.path,
        }
        given = ",".join(
            f"{key}={str(value).translate(_GITHUB_PROPERTY)}" for key, value in properties.items() if value
        )
        message = f"{problem.what}\nfix: {problem.fix}".translate(_GITHUB_MESSAGE)
        lines.append(f"::{problem.severity.value} {given}::{message}")
    return "\n".join([*lines, _summary(found)])


def findings_junit(found: Findings) -> str:
    """A test case for each file, passed ones too, as an XML document; without a newline at the end."""
    problems = {
        file: list(group) for file, group in groupby(found.problems, lambda problem: problem.location.file)
    }
    files = list(dict.fromkeys([*found.files, *problems]))
    failed = sum(bool(_errors(problems.get(file, []))) for file in files)
    counts = {"tests": f"{len(files)}", "failures": f"{failed}", "errors": "0", "skipped": "0"}
    root = Element("testsuites", {"name": JUNIT_SUITE, **counts})
    suite = SubElement(root, "testsuite", {"name": JUNIT_SUITE, **counts})
    for file in files:
        suite.append(_junit_case(_xml_text(found.from_root(file)), problems.get(file, [])))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode")


def _junit_case(file: str, problems: list[Problem]) -> Element:
    """One file: its problems are a failure if an error is among them, else what the test printed."""
    case = Element("testcase", {"classname": JUNIT_SUITE, "name": file, "file": file})
    errors = _errors(problems)
    marks = {Severity.ERROR: "", Severity.WARNING: "warning: "}
    text = _xml_text("\n".join(f"{marks[problem.severity]}{problem}" for problem in problems))
    if errors:
        where = f"{errors[0].path}: " if errors[0].path else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        headline = _xml_text(f"{where}{errors[0].what}{more}")
        SubElement(case, "failure", {"type": "invalid", "message": headline}).text = text
    elif problems:
        SubElement(case, "system-out").text = text
    return case


def _errors(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
