"""`apply`: makes what differs between Git and the bots go away, once."""

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
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.cli.terminal import refuse_unasked
from reconciler.errors import ExitCode, PlanRefused


@command(
    "Make the bots match Git, once.",
    examples=[
        ("apply", ""),
        ("apply --yes -o json", "for machines"),
        ("apply p.json", "what `plan --out p.json` saved"),
        ("apply --max-deletes 7", "when a brake refused it and it is meant"),
    ],
)
@click.argument(
    "saved", metavar="[PLAN]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal.")
@output_option()
@adopt_option
@source_options
@broker_option
@brake_options
@wait_option
@pass_invocation
def apply(  # noqa: PLR0913, PLR0917  (click's: one for each option)
    invocation: Invocation, saved: Path | None, yes: bool, output: str, adopt: bool, wait_s: float | None
) -> ExitCode:
    """Make the bots match Git, once: show the plan, ask, do it, report.

    With PLAN, a file that `plan --out` saved, exactly that plan is carried out; it is refused when the
    commit or the bots that it was made from are no longer as they were. Ctrl-C finishes the step in flight.
    """
    from reconciler.cli.render.plan import load
    from reconciler.cli.render.report import report_document, report_exit_code, report_text
    from reconciler.cli.sync import ApplyRequest, apply_once

    refuse_unasked(yes=yes)
    invocation.log()
    settings = invocation.settings()
    request = ApplyRequest(
        saved=load(saved) if saved else None,
        adopt=adopt,
        yes=yes,
        wait_s=wait_s,
        # When stdout is for programs, the plan is shown only to a person who is asked.
        show=say if output == "text" else (lambda _: None) if yes else note,
        command=invocation.command(
            "apply", str(saved or ""), "--yes" if yes else "", "--adopt" if adopt else ""
        ),
    )
    report = asyncio.run(apply_once(settings, request))
    if output == "json":
        say_json(report_document(report))
    elif report.results:
        say(report_text(report))
    if report.refused:
        raise PlanRefused(report.refused)
    return report_exit_code(report)
