"""Questions to a person at a terminal. Without one nothing is asked and nothing is assumed."""

from __future__ import annotations

import asyncio
import sys

import click

from reconciler.cli.output import is_terminal
from reconciler.errors import ReconcilerError


def refuse_unasked(*, yes: bool) -> None:
    """Let a command go on that acts: somebody said `--yes`, or can be asked.

    Raises:
        ReconcilerError: neither.
    """
    if not yes and not is_terminal():
        raise ReconcilerError(
            "nobody can be asked: this is no terminal",
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
