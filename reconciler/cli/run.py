"""`run`: keeps the bots matching Git until stopped."""

from __future__ import annotations

import asyncio

from reconciler.cli.command import command
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import brake_options, broker_option, source_options
from reconciler.cli.terminal import reload_on_signal, stop_on_signals
from reconciler.errors import ExitCode


@command(
    "Keep the bots matching Git until stopped.",
    examples=[
        ("run", ""),
        ("run --worktree", "follow the files as you save them"),
        ("--set sync.auto=false run", "say what differs, change nothing"),
    ],
)
@source_options
@broker_option
@brake_options
@pass_invocation
def run(invocation: Invocation) -> ExitCode:
    """Keep the bots matching Git until stopped.

    A pass at the start, on new commits, on changes of what is live, and every sync.interval. SIGTERM and
    Ctrl-C finish the step in flight and leave; SIGHUP reads the settings again. The log goes to stderr.
    """
    invocation.log(long_running=True)

    async def serve_until_stopped() -> None:
        from reconciler.app import serve

        stop, reload = asyncio.Event(), asyncio.Event()
        stop_on_signals(stop)
        reload_on_signal(reload)
        await serve(
            invocation.settings,
            stop=stop,
            reload=reload,
            read_broker=lambda: invocation.load().settings.broker,
        )

    asyncio.run(serve_until_stopped())
    return ExitCode.OK
