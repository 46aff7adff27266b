"""The main promise: whatever happens on the way, once it stops happening the bots become what Git says.

Hypothesis makes up histories of commits, changes by hand, lost and doubled messages, and processes killed in
mid-step; `RECONCILER_HISTORIES` sets how many (each of up to 40 events). Every history ends with quiet: then
a bounded number of passes must end in an empty plan. What happened to bots is held against a ledger all along.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.convergence import stage
from tests.convergence.history import BasicHistory, History

HISTORIES = int(os.environ.get("RECONCILER_HISTORIES", "400"))
EVENTS = 40


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("machine", [History, BasicHistory], ids=["extended", "basic"])
def test_any_history_ends_with_the_bots_as_git_says(machine: type[stage.Stage]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=EVENTS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_enough_was_tried() -> None:
    """Runs after the machines, in the same process: 400 histories each make well over 10,000 events."""
    if not stage.events_made:
        pytest.skip("the machines ran in another process")
    print(f"{stage.events_made} random events")
    assert stage.events_made >= min(10_000, HISTORIES * 10)
