"""How every command of ours reads in `--help`: what it does, its options, and examples that work."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import click

Example = tuple[str, str]
"""What to type after `reconciler`, and what it is for; the latter may be empty."""


class CliCommand(click.Command):
    """A command with examples; a test sees to it that each of them is accepted."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **attributes: Any) -> None:  # noqa: ANN401  (click's)
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, lined up, each on a line of its own."""
        super().format_epilog(ctx, formatter)
        program = ctx.find_root().info_name
        lines = [(f"{program} {line}", what) for line, what in self.examples]
        widest = max((len(line) for line, what in lines if what), default=0)
        with formatter.section("Examples"):
            for line, what in lines:
                shown = f"{line:<{widest}}   # {what}" if what else line
                formatter.write(f"{'':>{formatter.current_indent}}{shown}\n")


class CliGroup(CliCommand, click.Group):
    """A command that does its own work when it is called alone, and has commands below it.

    Its options stand before the name of the command below, which finds them in its parent context.
    """

    def __init__(self, *args: Any, **attributes: Any) -> None:  # noqa: ANN401  (click's)
        super().__init__(*args, invoke_without_command=True, subcommand_metavar="[COMMAND]", **attributes)


def command(
    summary: str, *, examples: Sequence[Example], epilog: str | None = None
) -> Callable[[Callable[..., Any]], CliCommand]:
    """Make a function a command; `summary` is its line in the list of commands."""
    return click.command(cls=CliCommand, short_help=summary, examples=examples, epilog=epilog)


def group(summary: str, *, examples: Sequence[Example]) -> Callable[[Callable[..., Any]], CliGroup]:
    """Make a function a command with others below it; it runs only if none of them is named."""

    def make(function: Callable[..., Any]) -> CliGroup:
        @functools.wraps(function)
        def alone(*args: Any, **options: Any) -> Any:  # noqa: ANN401  (click's)
            if click.get_current_context().invoked_subcommand is None:
                return function(*args, **options)
            return None

        return click.command(cls=CliGroup, short_help=summary, examples=examples)(alone)

    return make
