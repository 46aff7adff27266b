"""
How much a run of the tests tries.

`scripts/test` runs what every change must pass, within minutes. `scripts/test --long` runs what needs longer: the
tests marked `long`, which run nowhere else, and those marked `scaled` (all of Hypothesis among them), which run in both
and try more there. docs/long-tests.md keeps its results.
"""

from __future__ import annotations

_EFFORT = {"long": False}


def choose(*, long: bool) -> None:
    """Called once, before any test is imported."""
    _EFFORT["long"] = long


def amount(usual: int, long: int) -> int:
    """How often a test marked `scaled` tries; evaluated when the test is imported."""
    return long if _EFFORT["long"] else usual
