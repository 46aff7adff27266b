"""
Findings as SARIF 2.1.0 (OASIS), which code scanning takes: a rule for each kind, a result for each problem. Pure.

Rule 1: places are as the standard counts them: lines and columns from 1, columns in characters, and no region
where only the file is known.
Rule 2: addresses are relative to the repository's root, escaped as URIs.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.cli.findings import Findings
from reconciler.cli.render.kinds import KINDS, OTHER, kind_of
from reconciler.errors import Location, Problem

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""What code scanning calls the root of the checkout."""

LINE_BREAKS = ("\r\n", "\n", "\r", "\x85", "\u2028", "\u2029")
"""What ends a line in YAML, and so in our line numbers."""


def findings_sarif(found: Findings) -> dict[str, Any]:
    """The findings as one run of one tool."""
    kinds = [kind_of(problem) for problem in found.problems]
    used = [kind for kind in KINDS if kind in kinds or kind is OTHER]
    rules = {kind.id: number for number, kind in enumerate(used)}
    driver = {
        "name": "reconciler",
        "semanticVersion": __version__,
        "rules": [{"id": kind.id, "shortDescription": {"text": kind.about}} for kind in used],
    }
    results = [
        {"ruleId": kind.id, "ruleIndex": rules[kind.id], **_result(problem, found)}
        for problem, kind in zip(found.problems, kinds, strict=True)
    ]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "exitCode": int(found.exit_code)}],
        "columnKind": "unicodeCodePoints",
        "newlineSequences": LINE_BREAKS,
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(problem: Problem, found: Findings) -> dict[str, Any]:
    where = f"{problem.path}: " if problem.path else ""
    return {
        "level": problem.severity.value,
        "message": {"text": f"{where}{problem.what}\nfix: {problem.fix}"},
        "locations": [{"physicalLocation": _place(problem.location, found)}],
    }


def _place(location: Location, found: Findings) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(found.from_root(location.file))}
    if location.line:
        place["region"] = {"startLine": location.line} | (
            {"startColumn": location.column} if location.column else {}
        )
    return place


def _artifact(file: str) -> dict[str, str]:
    address = quote(file)
    if PurePosixPath(file).is_absolute():
        return {"uri": f"file://{address}"}
    return {"uri": address, "uriBaseId": ROOT}
