"""`config show`: the settings in force, and where each came from."""

from __future__ import annotations

import click

from reconciler.cli.command import CliCommand
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.errors import ExitCode


@click.group(short_help="Show the settings in force and where each came from.")
def config() -> None:
    """Look at the settings."""


@config.command(
    "show",
    cls=CliCommand,
    short_help="Show each setting and where it came from.",
    examples=[("config show", ""), ("--set sync.auto=false config show -o json", "")],
)
@output_option()
@pass_invocation
def show(invocation: Invocation, output: str) -> ExitCode:
    """Show each setting in force and where it came from; secrets are masked.

    What comes first wins: --set and options, the environment (RECONCILER_SECTION__KEY), the file, defaults.
    """
    loaded = invocation.load()
    described = loaded.describe()
    if output == "json":
        say_json([{"key": key, "value": value, "origin": origin} for key, value, origin in described])
    else:
        keys = max(len(key) for key, _, _ in described)
        values = min(40, max(len(value) for _, value, _ in described))
        for key, value, origin in described:
            line = f"{key:<{keys}}  {value:<{values}}  {origin}"
            say(click.style(line, dim=True) if origin == "default" else line)
    for problem in loaded.warnings:
        note(f"warning: {problem}")
    return ExitCode.OK
