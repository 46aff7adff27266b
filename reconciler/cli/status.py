"""`status`: what the bots do, as they report it. Sends nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import command
from reconciler.cli.failure import no_such_strategy
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import StrategyKey, broker_option, source_options, wait_option
from reconciler.cli.output import output_option, say, say_json
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.model.spec import Key


@command(
    "Show each strategy: wish, live, sync, health, performance.",
    examples=[
        ("status", ""),
        ("status btc-maker eth-maker", ""),
        ("status --quick -o json", "without figures of performance"),
    ],
)
@click.argument("keys", metavar="[NAME]...", nargs=-1, type=StrategyKey())
@click.option(
    "--quick", is_flag=True, help="Do not wait for performance figures, which bots send every few seconds."
)
@output_option()
@source_options
@broker_option
@wait_option
@pass_invocation
def status(
    invocation: Invocation, keys: tuple[Key, ...], quick: bool, output: str, wait_s: float | None
) -> ExitCode:
    """Show each strategy: wish, live state, sync, health, performance, age of the last report.

    Sync is one of in sync, pending (Git changed), drift (the bot changed), blocked, waiting, unknown and
    unmanaged (live, but in Git nowhere and not ours). Profits are in the quote asset of each pair.
    """
    from reconciler.cli.render.status import status_document, status_exit_code, status_table
    from reconciler.cli.snapshot import take_snapshot

    invocation.log()
    plan, rows = asyncio.run(take_snapshot(invocation.settings(), wait_s, quick=quick))
    shown = [row for row in rows if not keys or row.key in keys]
    there = {row.key for row in rows}
    if missing := [key for key in keys if key not in there]:
        raise no_such_strategy(missing, there, "in Git or live")
    if output == "json":
        say_json(status_document(plan, shown))
    else:
        say(status_table(shown) if shown else "no strategies")
    return status_exit_code(shown)
