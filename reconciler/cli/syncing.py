"""`plan`, `apply`, `retry`: what differs between Git and the bots, and making it go away once."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.asking import refuse_unasked
from reconciler.cli.command import command
from reconciler.cli.failure import no_such_strategy
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import (
    StrategyKey,
    adopt_option,
    brake_options,
    broker_option,
    source_options,
    wait_option,
)
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.errors import ExitCode, PlanRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.spec import Key


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
    from reconciler.cli.passes import look_and_plan
    from reconciler.cli.plans import plan_exit_code, plan_text, save

    invocation.log()
    settings = invocation.settings()
    command = invocation.command("apply", "--adopt" if adopt else "")
    made = asyncio.run(look_and_plan(settings, wait_s, adopt=adopt, command=command))
    if out is not None:
        save(made.plan, out)
    say(plan_text(made, output, tree=settings.source.path, verbose=invocation.verbosity > 0))
    if made.refused:
        raise PlanRefused(made.refused)
    return plan_exit_code(made)


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
    from reconciler.cli.passes import Wanted, look_and_apply
    from reconciler.cli.plans import load
    from reconciler.cli.reports import report_document, report_exit_code, report_text

    refuse_unasked(yes=yes)
    invocation.log()
    settings = invocation.settings()
    wanted = Wanted(
        saved=load(saved) if saved else None,
        adopt=adopt,
        yes=yes,
        wait_s=wait_s,
        show=say if output == "text" else _beside(yes=yes),
        command=invocation.command(
            "apply", str(saved or ""), "--yes" if yes else "", "--adopt" if adopt else ""
        ),
    )
    report = asyncio.run(look_and_apply(settings, wanted))
    if output == "json":
        say_json(report_document(report))
    elif report.results:
        say(report_text(report))
    if report.refused:
        raise PlanRefused(report.refused)
    return report_exit_code(report)


@command(
    "Let a strategy go on that stopped with an error.",
    examples=[("retry btc-maker", ""), ("retry tokyo/btc-maker", "of the target tokyo")],
)
@click.argument("key", metavar="NAME", type=StrategyKey())
@output_option()
@pass_invocation
def retry(invocation: Invocation, key: Key, output: str) -> ExitCode:
    """Let a strategy go on that its bot stopped with an error (kill switch, drawdown, crash limit).

    Without this it stays blocked until its file changes. The next pass, of `apply` or of the service, acts.
    """
    from reconciler.store.sqlite import open_store

    with contextlib.closing(open_store(invocation.settings().store.url)) as store:
        if not store.ask_retry(key):
            raise no_such_strategy([key], store.inventory(), "among those that we manage")
    if output == "json":
        say_json({"format": "reconciler.retry/1", "exit_code": 0, "target": key.target, "name": key.name})
    else:
        say(f"{key}: the next pass tries again, if its bot has stopped with an error")
    return ExitCode.OK


def _beside(*, yes: bool) -> Callable[[str], None]:
    """Where the plan is shown when stdout is for programs: to whoever is asked, else nowhere."""
    return (lambda _: None) if yes else note
