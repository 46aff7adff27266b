"""docs/long-tests.md, written by `scripts/test --long`: for each file of tests what was tried, when and with what."""

from __future__ import annotations

import ast
import os
import platform
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from reconciler import __version__

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "long-tests.md"
TRIED = "tried"
"""The property in which a test records how much it tried: `record_property(TRIED, "10,000 histories")`."""

_HEADING = """\
# Long tests

`scripts/test --long` runs what takes too long for every change: many more examples of the property tests, thousands of
histories in `tests/convergence`, every type of strategy with a real Hummingbot. It writes this page; a run of a part
(`scripts/test --long tests/unit`) renews the lines of that part.

| tests | what they hold | tried | result | took | on | with |
| --- | --- | --- | --- | --- | --- | --- |
"""


class Row(NamedTuple):
    """A line of the table: the results of one file of tests in its last long run."""

    path: str
    holds: str
    tried: str
    result: str
    took: str
    day: str
    versions: str


class LongResults:
    """Collects what a run reports, and writes it when the run ends."""

    def __init__(self, document: Path = DOCUMENT) -> None:
        self._document = document
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._tried: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path = report.nodeid.partition("::")[0]
        self._seconds[path] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[path][report.outcome] += 1
        if report.when == "call":
            self._tried[path] += [str(what) for name, what in report.user_properties if name == TRIED]

    def pytest_sessionfinish(self) -> None:
        ran = [path for path, outcomes in self._outcomes.items() if outcomes.keys() != {"skipped"}]
        rows = {row.path: row for row in read_rows(self._document)} | {path: self._row(path) for path in ran}
        write_rows(self._document, rows.values())

    def _row(self, path: str) -> Row:
        outcomes = self._outcomes[path]
        return Row(
            path,
            _first_line(ROOT / path),
            ", ".join(dict.fromkeys(self._tried[path])),
            ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())),
            f"{self._seconds[path] / 60:.1f} min",
            f"{datetime.now(UTC):%Y-%m-%d}",
            _versions(path),
        )


def read_rows(document: Path) -> list[Row]:
    """The lines of the table that is there; none if there is no document."""
    if not document.exists():
        return []
    lines = document.read_text().splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("| `tests/")]
    return [Row(*(cell.strip().strip("`") for cell in row)) for row in cells]


def write_rows(document: Path, rows: Iterable[Row]) -> None:
    """Write the document with these lines, by path; files that are no more are left out."""
    there = sorted(row for row in rows if (ROOT / row.path).is_file())
    lines = [f"| `{row.path}` | {' | '.join(row[1:])} |\n" for row in there]
    document.write_text(_HEADING + "".join(lines))


def _first_line(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    return said.split("\n", 1)[0].replace("|", "/")


def _versions(path: str) -> str:
    """What a result depends on. Hummingbot and Mosquitto are named where the tests are no unit tests."""
    names = [f"Python {platform.python_version()}", f"hypothesis {hypothesis.__version__}"]
    if not path.startswith(("tests/unit/", "tests/convergence/")):
        names += [_mosquitto(), _hummingbot()]
    return ", ".join(filter(None, [f"reconciler {__version__}", *names]))


def _mosquitto() -> str:
    said = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout
    return said.partition("\n")[0].replace("version ", "")


def _hummingbot() -> str:
    python = os.environ.get("RECONCILER_HUMMINGBOT_PYTHON")
    if not python:
        return ""
    program = "from importlib.metadata import version; print(version('hummingbot'))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return f"hummingbot {done.stdout.strip()}" if done.returncode == 0 else ""
