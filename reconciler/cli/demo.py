"""`demo`: all of it at work on this machine."""

from __future__ import annotations

import asyncio

import click

from reconciler.cli.command import command
from reconciler.cli.output import say
from reconciler.errors import ExitCode


@command(
    "See it all work, on this machine, in under a minute.",
    examples=[("demo", ""), ("demo --keep", "leave everything running, to go on by hand")],
)
@click.option("--keep", is_flag=True, help="Leave it running, and say how to go on.")
def demo(keep: bool) -> ExitCode:
    """See it all work, on this machine: a Git repository, a broker, an agent with simulated bots, and the service.

    Everything lives in a temporary folder and on 127.0.0.1; nothing is left behind without --keep. Git is all
    that has to be there.
    """
    import signal

    from reconciler.demo import run_demo

    # A script's background jobs begin with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(run_demo(say, keep=keep))
    return ExitCode.OK
