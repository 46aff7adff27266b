"""`agent`, and below it `agent install` and `agent doctor`: the other end of the wire, and what real bots need here."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import CliCommand, group
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import broker_option
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.cli.terminal import stop_on_signals, waiting
from reconciler.errors import ExitCode, SettingsError

if TYPE_CHECKING:
    from reconciler.agent.hummingbot.options import BotOptions
    from reconciler.agent.settings import AgentSettings
    from reconciler.settings.model import Settings


@group(
    "Run the bots and carry out commands.",
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
@click.option("--any-version", is_flag=True, help="Run a Hummingbot that this agent was never tested with.")
@click.option(
    "--heartbeat",
    "heartbeat_s",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two heartbeats.",
)
@click.option(
    "--start-delay",
    "start_delay_s",
    type=click.FloatRange(min=0.0),
    default=0.3,
    show_default=True,
    metavar="SECONDS",
    help="That a simulated bot takes to start.",
)
@click.option(
    "--fault", "faults", metavar="FAULT=VALUE", multiple=True, help="Inject a fault; may be repeated."
)
@click.option("--seed", type=int, help="Of all random choices, for runs that can be repeated.")
@pass_invocation
def agent(invocation: Invocation, /, faults: tuple[str, ...], **options: object) -> ExitCode:
    """Run the bots and carry out the commands that come over the broker.

    Broker, user and password come from the settings, as for every command. With broker.api_key and
    broker.api_secret set, commands that are not signed with them are refused.

    Faults: lose, double, reorder (chance that an answer is), silent (chance that a status waits for the next
    heartbeat), delay_s (longest delay of an answer), drift, crash (chance in a second that a running bot
    does), refuse, ignore (fields of config).
    """
    invocation.log(long_running=True)
    settings = settings_of_agent(invocation.settings(), faults, **options)

    async def run_until_stopped() -> None:
        from reconciler.agent.main import run_agent

        stop = asyncio.Event()
        stop_on_signals(stop)
        await run_agent(settings, stop=stop, read_broker=lambda: invocation.load().settings.broker)

    asyncio.run(run_until_stopped())
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
    values = {}
    for text in faults:
        fault, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--fault {text}: this gives no amount", fix="write --fault lose=0.2")
        values[fault] = value
    return msgspec.structs.replace(settings, faults=parse_faults(values))


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


@agent.command(
    "install",
    cls=CliCommand,
    short_help="Install Hummingbot for the bots.",
    examples=[
        ("agent install", ""),
        ("agent --state-dir /var/lib/reconciler-agent install", "where an agent with this option finds it"),
        ("agent install --into /opt/hummingbot --wheel-cache /var/cache/uv", "as in a container"),
    ],
)
@click.option("--version", metavar="VERSION", help="Of Hummingbot.  [default: hummingbot_version]")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of the environment.  [default: where this agent looks for it]",
)
@click.option(
    "--wheel-cache",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder that keeps what was downloaded and built.  [default: uv's own cache]",
)
@click.option(
    "--python",
    metavar="INTERPRETER",
    default=sys.executable,
    help="Interpreter to build on.  [default: ours]",
)
@click.option(
    "--timeout",
    "limit_s",
    type=click.FloatRange(min=1.0),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="For uv's work at most.",
)
@click.option("--force", is_flag=True, help="Make it again even if it is there.")
@output_option()
@pass_invocation
def install(
    invocation: Invocation, /, version: str | None, into: Path | None, output: str, **options: object
) -> ExitCode:
    """Install Hummingbot into a virtual environment of its own, which uv makes.

    The first time takes some minutes, since Hummingbot is compiled, and about 2 GB; with what the cache keeps,
    later ones take seconds. Where it is installed already, nothing happens. Killed half way, it leaves what
    was there before; run it again.
    """
    import msgspec

    from reconciler.agent.install.environment import default_folder
    from reconciler.agent.install.installer import InstallRequest
    from reconciler.agent.install.installer import install as make

    settings = _settings(invocation)
    version = version or settings.hummingbot_version
    into = into or default_folder(settings.folder, version)
    request = msgspec.structs.replace(InstallRequest(into=into, version=version), **options)
    with waiting(f"installing Hummingbot {version} …") as show:
        done = asyncio.run(make(request, lambda what: show(f"installing Hummingbot {version}: {what}")))
    note(f"Hummingbot {done.marker.version} {'installed' if done.fresh else 'was installed already'}")
    if output == "json":
        made = {"version": done.marker.version, "python": str(done.python), "fresh": done.fresh}
        say_json({"format": "reconciler.install/1", "exit_code": 0, **made})
    else:
        say(str(done.python))
    return ExitCode.OK


@agent.command(
    "doctor",
    cls=CliCommand,
    short_help="Say what is missing for real bots, and how to fix it.",
    examples=[
        ("agent doctor", ""),
        ("agent --state-dir /var/lib/reconciler-agent doctor -o json", ""),
        ("agent doctor --only broker --only state", "quick: a health check of a container"),
        (
            "agent doctor --time-from https://api.binance.com/api/v3/time",
            "compare the clock with an exchange",
        ),
    ],
)
@click.option(
    "--only", "chosen", multiple=True, metavar="CHECK", help="Make only this check; may be repeated."
)
@click.option(
    "--time-from",
    default="",
    metavar="URL",
    help="Compare the clock with the Date that this address answers; without it no address is asked.",
)
@output_option()
@pass_invocation
def doctor(invocation: Invocation, chosen: tuple[str, ...], time_from: str, output: str) -> ExitCode:
    """Look at all that real bots need here, and say what is missing and how to fix it.

    Options of the agent stand before the word doctor: what is looked at is what an agent with these options
    would use. Nothing is changed; secrets are counted, never shown. Exit code 1 if something is missing.
    """
    from reconciler.agent.doctor.checks import examine
    from reconciler.agent.doctor.probes import Subject
    from reconciler.cli.render.doctor import diagnosis_document, diagnosis_exit_code, diagnosis_text

    invocation.log()
    subject = Subject(settings=_settings(invocation), time_from=time_from)
    with waiting("looking …"):
        findings = asyncio.run(examine(subject, frozenset(chosen)))
    if output == "json":
        say_json(diagnosis_document(findings))
    else:
        say(diagnosis_text(findings))
    return diagnosis_exit_code(findings)


def _settings(invocation: Invocation) -> AgentSettings:
    """Of an agent that was started with the options before the word below it."""
    above = click.get_current_context().parent
    assert above is not None, "it is a command below `agent`"
    return settings_of_agent(invocation.settings(), **above.params)
