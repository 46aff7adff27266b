"""`plan`: what differs between Git and the bots; changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from reconciler.cli.command import command
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import (
    adopt_option,
    brake_options,
    broker_option,
    source_options,
    wait_option,
)
from reconciler.cli.output import output_option, say
from reconciler.errors import ExitCode, PlanRefused


@command(
    "Show what it takes to make the bots match Git.",
    examples=[
        ("plan", ""),
        ("plan --worktree", "before you commit"),
        ("plan --ref feature -o markdown", "for a pull request"),
        ("plan --out p.json", "to carry out exactly this later: apply p.json"),
    ],
)
@output_option("markdown")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan for `reconciler apply FILE`.",
)
@adopt_option
@source_options
@broker_option
@brake_options
@wait_option
@pass_invocation
def plan(
    invocation: Invocation, output: str, out: Path | None, adopt: bool, wait_s: float | None
) -> ExitCode:
    """Show what it takes to make the bots match Git; changes nothing.

    Marks: + create, ~ update, ± replace, - delete, ▶ start, ■ stop, ‖ pause, ▷ resume, ! blocked, … waiting,
    ? unknown, · unmanaged.
    """
    from reconciler.cli.render.plan import plan_exit_code, plan_text, save
    from reconciler.cli.sync import plan_once

    invocation.log()
    settings = invocation.settings()
    command = invocation.command("apply", "--adopt" if adopt else "")
    made = asyncio.run(plan_once(settings, wait_s, adopt=adopt, command=command))
    if out is not None:
        save(made.plan, out)
    say(plan_text(made, output, tree=settings.source.path, verbose=invocation.verbosity > 0))
    if made.refused:
        raise PlanRefused(made.refused)
    return plan_exit_code(made)
