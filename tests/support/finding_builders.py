"""Findings as a test wants them, and any findings at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from reconciler.cli.findings import Findings
from reconciler.errors import Location, Problem, Severity

ANYTHING = st.text(max_size=20)


def problem(**given: Any) -> Problem:
    place = Location(given.pop("file", "strategies/a.yaml"), given.pop("line", 3), given.pop("column", 8))
    fields = {"path": "state", "what": "'x' is not allowed", "fix": "write one of running, paused"} | given
    return Problem(place, **fields)


def findings(*problems: Problem, files: tuple[str, ...] = (), root: str = "", below: str = "") -> Findings:
    files = files or tuple(dict.fromkeys(each.location.file for each in problems))
    return Findings(files, 1, tuple(sorted(problems)), root, below)


WARNING = problem(
    path="config.bid_spread",
    what="0.001 means 0.001 %, not 0.1 %",
    line=9,
    severity=Severity.WARNING,
)

problems = st.builds(
    Problem,
    st.builds(Location, ANYTHING.map(lambda name: f"s/{name}"), st.integers(0, 9), st.integers(0, 9)),
    ANYTHING,
    ANYTHING,
    ANYTHING,
    st.sampled_from(Severity),
)
many = st.lists(problems, max_size=6).map(lambda given: findings(*given))
