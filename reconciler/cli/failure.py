"""What a person sees when a command fails: the error, its fix, the exit code. Nothing else is printed here."""

from __future__ import annotations

import os
import sys

import click

from reconciler.errors import InvalidFiles, ReconcilerError

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def explain(error: ReconcilerError) -> int:
    """Print `error` on stderr, all problems if it is about files; returns the exit code that it means."""
    if isinstance(error, InvalidFiles):
        for problem in error.problems:
            click.echo(str(problem), err=True)
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
    if error.fix:
        click.echo(f"  fix: {error.fix}", err=True)
    return int(error.exit_code)


def close_broken_pipe() -> None:
    """Nobody reads stdout any more: let Python's own flush at exit go nowhere instead of failing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
