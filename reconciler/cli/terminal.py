"""The terminal of a command: questions, progress and signals. Prints to stderr only."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from threading import Timer

import click

from reconciler.cli.output import is_terminal
from reconciler.errors import ReconcilerError
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
        yield lambda _: None
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


def refuse_unasked(*, yes: bool) -> None:
    """Let a command go on that acts: somebody said `--yes`, or can be asked.

    Raises:
        ReconcilerError: neither.
    """
    if not yes and not is_terminal():
        raise ReconcilerError(
            "cannot ask for confirmation: this is not a terminal",
            fix="look at `reconciler plan` first; then: reconciler apply --yes",
        )


async def ask(question: str) -> bool:
    """Ask on stderr; anything but y or yes is a no. The event loop goes on meanwhile: the picture stays fresh."""
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()
    click.echo(f"{question} [y/N]: ", nl=False, err=True)
    loop.add_reader(sys.stdin, answered.set)
    try:
        await answered.wait()
    finally:
        loop.remove_reader(sys.stdin)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # Ctrl-D: the line is still open
        click.echo(err=True)
    return answer.strip().lower() in {"y", "yes"}


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`; the same signal again acts as if we had never asked for it."""
    loop = asyncio.get_running_loop()

    def ask_to_stop(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number)


def reload_on_signal(reload: asyncio.Event) -> None:
    """Let SIGHUP set `reload`."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
