"""`run`, `agent`, `demo`: commands that stay until they are told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.noise import log_to_stderr
from reconciler.cli.options import brake_options, broker_option, source_options
from reconciler.cli.signals import reload_on_signal, stop_on_signals
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.agent.settings import AgentSettings


@click.command(short_help="Keep the bots matching Git until told to stop.")
@source_options
@broker_option
@brake_options
@pass_invocation
def run(invocation: Invocation) -> ExitCode:
    """Keep the bots matching Git until told to stop.

    A pass at the start, on new commits, on changes of what is live, and every sync.interval. SIGTERM and
    Ctrl-C finish the step in flight and leave; SIGHUP reads the settings again. The log goes to stderr.

    \b
    Examples:
      reconciler run
      reconciler run --worktree          follow the files as you save them
      reconciler --set sync.auto=false run     say what differs, change nothing
    """
    log_to_stderr(invocation.noise, long_running=True)
    asyncio.run(_run(invocation))
    return ExitCode.OK


async def _run(invocation: Invocation) -> None:
    from reconciler.service import serve

    await serve(invocation.settings, stop=stop_on_signals(), reload=reload_on_signal())


@click.command(short_help="Run an agent: the end of the wire beside the bots.")
@click.option(
    "--runner",
    type=click.Choice(["simulated"]),
    default="simulated",
    show_default=True,
    help="What runs the bots.",
)
@click.option(
    "--name", default="agent", show_default=True, help="What the agent calls itself; one name, one agent."
)
@click.option("--root", default="hummingbot", show_default=True, help="Root of all topics.")
@broker_option
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it keeps its strategies.  [default: .reconciler/agent/NAME]",
)
@click.option(
    "--account", "accounts", multiple=True, help="A credentials profile that it holds; may be repeated."
)
@click.option("--heartbeat", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Seconds.")
@click.option(
    "--start-delay",
    type=click.FloatRange(min=0.0),
    default=0.3,
    show_default=True,
    help="Seconds that a simulated bot takes to come up.",
)
@click.option(
    "--fault", "faults", metavar="FAULT=VALUE", multiple=True, help="Misbehave on purpose; may be repeated."
)
@click.option("--seed", type=int, help="Of all chance, for runs that can be repeated.")
@pass_invocation
def agent(invocation: Invocation, **given: object) -> ExitCode:
    """Run an agent: it takes commands from the broker and runs the bots.

    Broker, user and password come from the settings, as for every command. With broker.api_key and
    broker.api_secret set, it refuses commands that are not signed with them.

    \b
    Faults, to see what the reconciler does about them: lose, double, reorder, silent (chance that an answer
    or status is), delay_s (longest delay of an answer), drift, crash (chance in a second), refuse, ignore
    (fields of config).

    \b
    Examples:
      reconciler agent --broker mqtt://localhost:1883
      reconciler agent --name tokyo --account desk-1 --account desk-2
      reconciler agent --fault lose=0.2 --fault refuse=bid_spread,leverage
    """
    log_to_stderr(invocation.noise, long_running=True)
    asyncio.run(_agent(_agent_settings(invocation, given)))
    return ExitCode.OK


async def _agent(settings: AgentSettings) -> None:
    from reconciler.agent.main import run_agent

    await run_agent(settings, stop=stop_on_signals())
