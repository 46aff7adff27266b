"""
What each file of tests/cases is read as: the text next to it.

`python -m tests.support.cases_expected` writes all of them again; look at the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Severity
from reconciler.sources.check import check

CASES = Path(__file__).parents[1] / "cases"

_encoder = msgspec.json.Encoder(decimal_format="number")


def case_files(folder: str) -> list[Path]:
    """The cases of `good` or `bad`."""
    return sorted((CASES / folder).glob("*.yaml"))


def expected_file(case: Path) -> Path:
    return case.with_suffix(".txt")


def outcome(case: Path) -> str:
    """The specs of a case with all their fields, its problems as people see them, and who is left alone."""
    checked = check(case.read_bytes(), case.name, load_catalog())
    specs = [msgspec.json.format(_encoder.encode(spec)).decode() for spec in checked.specs]
    problems = [
        f"{'warning: ' if problem.severity is Severity.WARNING else ''}{problem}"
        for problem in checked.problems
    ]
    broken = [f"broken: {', '.join(map(repr, checked.broken))}"] if checked.broken else []
    return "\n".join([*specs, *problems, *broken]) + "\n"


def main() -> None:
    for folder in ("good", "bad"):
        for case in case_files(folder):
            expected_file(case).write_text(outcome(case), encoding="utf-8")


if __name__ == "__main__":
    main()
