"""The main promise: whatever happens on the way, once it stops happening the bots become what Git says.

Hypothesis makes up histories of commits, changes by hand, lost and doubled messages, and processes killed in
mid-step; `RECONCILER_HISTORIES` sets how many (each of up to 40 events). Every history ends with quiet: then
a bounded number of passes must end in an empty plan. What happened to bots is held against a ledger all along.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.convergence import stage
from tests.convergence.history import BasicHistory, History
from tests.support.effort import amount
from tests.support.long_results import TRIED

HISTORIES = int(os.environ.get("RECONCILER_HISTORIES", amount(400, 5_000)))
EVENTS = 40


@pytest.mark.slow
@pytest.mark.scaled
@pytest.mark.xdist_group("convergence")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("machine", [History, BasicHistory], ids=["extended", "basic"])
def test_any_history_ends_with_the_bots_as_git_says(
    machine: type[stage.Stage], record_property: Callable[[str, object], None]
) -> None:
    record_property(TRIED, f"{HISTORIES:,} histories of up to {EVENTS} events for each of two machines")
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
@pytest.mark.scaled
@pytest.mark.xdist_group("convergence")
def test_enough_was_tried() -> None:
    """Runs after the machines, in the same process: 400 histories each make well over 10,000 events."""
    if not stage.events_made:
        pytest.skip("the machines ran in another process")
    print(f"{stage.events_made} random events")
    assert stage.events_made >= min(10_000, HISTORIES * 10)
