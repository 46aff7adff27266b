"""What a person at a terminal sees while a command works: one line that says what it does. On stderr only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from threading import Timer

from reconciler.model.change import Change, Plan, Step
from reconciler.model.report import StepResult

PATIENCE_S = 1.0
"""What is over within a second needs no explanation."""

Show = Callable[[str], None]


@contextlib.contextmanager
def waiting(message: str) -> Iterator[Show]:
    """Show `message` with a spinner while the block runs, if that takes longer than a second; terminals only.

    Yields what changes the message.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield _say_nothing
        return
    from rich.console import Console

    status = Console(stderr=True, highlight=False).status(message)
    timer = Timer(PATIENCE_S, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield status.update
    finally:
        timer.cancel()
        timer.join()
        status.stop()


def _say_nothing(text: str) -> None:
    """Nobody watches."""


class StepCount:
    """Progress of a plan: which step is being sent, and how many of all are over."""

    def __init__(self, plan: Plan, show: Show) -> None:
        self._all = sum(len(change.steps) for change in plan.acting)
        self._over = 0
        self._show = show

    def __call__(self, change: Change, step: Step, result: StepResult | None) -> None:
        self._over += result is not None
        what = "sent" if result is None else result.outcome.value
        self._show(f"{self._over} of {self._all} steps · {change.key}: {step.op} {what}")
