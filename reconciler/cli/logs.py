"""`logs`: what the bots log, as it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import command
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import StrategyKey, broker_option
from reconciler.cli.output import output_option
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.model.spec import Key


@command(
    "Print what the bots log.",
    examples=[
        ("logs -f", ""),
        ("logs -f btc-maker", ""),
        ("logs --for 60 -o json", "a minute, one record a line"),
    ],
)
@click.argument("keys", metavar="[NAME]...", nargs=-1, type=StrategyKey())
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "--for",
    "for_s",
    type=click.FloatRange(min=0.0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Without -f: listen this long.",
)
@output_option()
@broker_option
@pass_invocation
def logs(invocation: Invocation, keys: tuple[Key, ...], follow: bool, for_s: float, output: str) -> ExitCode:
    """Print what the bots log, as it comes. Brokers keep no logs: what was said before is gone."""
    from reconciler.cli.log_stream import listen

    invocation.log()
    asyncio.run(listen(invocation.settings(), frozenset(keys), None if follow else for_s, output))
    return ExitCode.OK
