"""Findings as JUnit's XML, which most CI services show: a test case for each file, passed ones too. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.cli.findings import Findings
from reconciler.errors import Problem, Severity

SUITE = "reconciler validate"

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""


def findings_junit(found: Findings) -> str:
    """The findings as an XML document; without a newline at the end."""
    problems = {
        file: list(group) for file, group in groupby(found.problems, lambda problem: problem.location.file)
    }
    files = list(dict.fromkeys([*found.files, *problems]))
    failed = sum(_has_error(problems.get(file, [])) for file in files)
    counts = {"tests": f"{len(files)}", "failures": f"{failed}", "errors": "0", "skipped": "0"}
    root = Element("testsuites", {"name": SUITE, **counts})
    suite = SubElement(root, "testsuite", {"name": SUITE, **counts})
    for file in files:
        suite.append(_case(_text(found.from_root(file)), problems.get(file, [])))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode")


def _case(file: str, problems: list[Problem]) -> Element:
    """One file: its problems are a failure if an error is among them, else what the test printed."""
    case = Element("testcase", {"classname": SUITE, "name": file, "file": file})
    told = _text("\n".join(_lines(problems)))
    if _has_error(problems):
        first = next(problem for problem in problems if problem.severity is Severity.ERROR)
        failure = SubElement(
            case, "failure", {"type": "invalid", "message": _text(_headline(first, problems))}
        )
        failure.text = told
    elif problems:
        SubElement(case, "system-out").text = told
    return case


def _headline(first: Problem, problems: list[Problem]) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    where = f"{first.path}: " if first.path else ""
    return f"{where}{first.what}" + (f" (and {errors - 1} more)" if errors > 1 else "")


def _lines(problems: list[Problem]) -> Iterator[str]:
    for problem in problems:
        mark = "" if problem.severity is Severity.ERROR else "warning: "
        yield f"{mark}{problem}"


def _has_error(problems: list[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
