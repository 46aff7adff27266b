"""`run`, `agent`, `demo`: commands that stay until they are told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import command, group
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import brake_options, broker_option, source_options
from reconciler.cli.output import say
from reconciler.cli.signals import reload_on_signal, stop_on_signals
from reconciler.errors import ExitCode, SettingsError

if TYPE_CHECKING:
    from reconciler.agent.hummingbot.options import BotOptions
    from reconciler.agent.settings import AgentSettings
    from reconciler.settings.model import Settings


@command(
    "Keep the bots matching Git until told to stop.",
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
    """Keep the bots matching Git until told to stop.

    A pass at the start, on new commits, on changes of what is live, and every sync.interval. SIGTERM and
    Ctrl-C finish the step in flight and leave; SIGHUP reads the settings again. The log goes to stderr.
    """
    invocation.log(long_running=True)
    asyncio.run(_run(invocation))
    return ExitCode.OK


async def _run(invocation: Invocation) -> None:
    from reconciler.app import serve

    stop, reload = asyncio.Event(), asyncio.Event()
    stop_on_signals(stop)
    reload_on_signal(reload)
    await serve(invocation.settings, stop=stop, reload=reload)


@group(
    "Be the end of the wire beside the bots.",
    examples=[
        ("agent --broker mqtt://localhost:1883", ""),
        ("agent --name tokyo --account desk-1 --account desk-2", ""),
        (
            "agent --fault lose=0.2 --fault refuse=bid_spread,leverage",
            "see what the reconciler does about it",
        ),
    ],
)
@click.option(
    "--runner",
    type=click.Choice(["simulated", "hummingbot"]),
    default="simulated",
    show_default=True,
    help="What runs the bots.",
)
@click.option("--name", default="agent", show_default=True, help="Its own name; no two agents share one.")
@click.option("--root", default="hummingbot", show_default=True, help="Root of all topics.")
@broker_option
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it keeps its strategies.  [default: .reconciler/agent/NAME]",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    default=("default",),
    show_default=True,
    help="A credentials profile that it holds; may be repeated.",
)
@click.option(
    "--hummingbot-python",
    "python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Interpreter that has Hummingbot.  [default: what `agent install` made]",
)
@click.option(
    "--controllers",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Code of v2 controllers, as in a Hummingbot checkout.",
)
@click.option(
    "--accounts-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Exchange keys of the accounts, readable by this user alone.",
)
@click.option(
    "--endpoints",
    "endpoints_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="JSON with other addresses of exchanges: module of Hummingbot, constant, value.",
)
@click.option("--any-version", is_flag=True, help="Run a Hummingbot that this agent was never tried with.")
@click.option(
    "--heartbeat",
    "heartbeat_s",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two signs of life.",
)
@click.option(
    "--start-delay",
    "start_delay_s",
    type=click.FloatRange(min=0.0),
    default=0.3,
    show_default=True,
    metavar="SECONDS",
    help="That a simulated bot takes to come up.",
)
@click.option("--fault", "faults", metavar="FAULT=VALUE", multiple=True, help="Misbehave; may be repeated.")
@click.option("--seed", type=int, help="Of all chance, for runs that can be repeated.")
@pass_invocation
def agent(invocation: Invocation, /, faults: tuple[str, ...], **options: object) -> ExitCode:
    """Be the end of the wire beside the bots: take commands from the broker and run the bots.

    Broker, user and password come from the settings, as for every command. With broker.api_key and
    broker.api_secret set, commands that are not signed with them are refused.

    Faults: lose, double, reorder (chance that an answer is), silent (chance that a status waits for the next
    heartbeat), delay_s (longest delay of an answer), drift, crash (chance in a second that a running bot
    does), refuse, ignore (fields of config).
    """
    invocation.log(long_running=True)
    asyncio.run(_agent(settings_of_agent(invocation.settings(), faults, **options)))
    return ExitCode.OK


def settings_of_agent(ours: Settings, faults: tuple[str, ...], **options: object) -> AgentSettings:
    """All other options are named as the fields that they set."""
    import msgspec

    from reconciler.agent.faults import parse_faults
    from reconciler.agent.main import AgentSettings

    broker = ours.broker
    settings = AgentSettings(
        broker=broker,
        shared_dir=Path(ours.store.url).parent,
        hummingbot_version=ours.hummingbot_version,
        schemas=Path(ours.schemas) if ours.schemas else None,
    )
    settings = msgspec.structs.replace(settings, bots=_bots(options), **options)
    if broker.api_key and broker.api_secret:
        settings = msgspec.structs.replace(settings, api_keys={broker.api_key: broker.api_secret})
    return msgspec.structs.replace(settings, faults=parse_faults(dict(map(_fault, faults))))


def _bots(options: dict[str, object]) -> BotOptions:
    """Take the options of real bots out of `options`."""
    import msgspec

    from reconciler.agent.hummingbot.options import BotOptions

    names = ("python", "controllers", "accounts_file", "any_version")
    given = {name: options.pop(name) for name in names if name in options}
    file = options.pop("endpoints_file", None)
    if isinstance(file, Path):
        try:
            given["endpoints"] = msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]])
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(f"{file}: {error}", fix='write {"MODULE": {"CONSTANT": "VALUE"}}') from error
    return msgspec.structs.replace(BotOptions(), **given)


def _fault(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--fault {text}: this says not how much", fix="write --fault lose=0.2")
    return name, value


async def _agent(settings: AgentSettings) -> None:
    from reconciler.agent.main import run_agent

    stop = asyncio.Event()
    stop_on_signals(stop)
    await run_agent(settings, stop=stop)


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
