"""What a person sees when a command fails, or has something to complain of: errors, warnings, their fixes, the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from reconciler.errors import InvalidFiles, Problem, ReconcilerError, Severity

if TYPE_CHECKING:
    from reconciler.model.spec import Key

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

MOST_SHOWN = 20
"""Of problems that do not end a command, so that its result can still be seen."""


def explain(error: ReconcilerError) -> int:
    """Print `error` on stderr, all problems if it is about files; returns the exit code that it means."""
    if isinstance(error, InvalidFiles):
        print_problems(error.problems, len(error.problems))
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
    if error.fix:
        click.echo(f"  fix: {error.fix}", err=True)
    return int(error.exit_code)


def print_problems(problems: Sequence[Problem], most: int = MOST_SHOWN) -> None:
    """Print the first of the problems of files on stderr, warnings marked as such, and how many there are more."""
    from reconciler.sources.yaml.document import printable

    for problem in problems[:most]:
        place, rest = printable(str(problem.location)), str(problem).removeprefix(str(problem.location))
        is_error = problem.severity is Severity.ERROR
        mark = "" if is_error else f": {click.style('warning', fg='yellow')}"
        click.echo(f"{place}{mark}{rest}", err=True)
    if len(problems) > most:
        click.echo(
            f"and {len(problems) - most:,} more problems; `reconciler validate` shows them all", err=True
        )


def no_such_strategy(missing: Sequence[Key], there: Iterable[Key], where: str) -> ReconcilerError:
    """What to say to somebody who names strategies that are not `there`; `where`: what that is, in words."""
    import difflib

    near = difflib.get_close_matches(str(missing[0]), [str(key) for key in there], n=1)
    fix = (
        f"did you mean {near[0]}?"
        if near
        else "reconciler status shows all; those of other targets are TARGET/NAME"
    )
    return ReconcilerError(f"no strategy of that name {where}: {', '.join(map(str, missing))}", fix=fix)


def forget_stdout() -> None:
    """Nothing can be written there any more: let Python's own flush at exit go nowhere instead of failing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
