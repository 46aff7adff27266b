"""`agent`, and below it `agent install` and `agent doctor`: what it takes to run real bots here."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import Command
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.cli.processes import agent, settings_of_agent
from reconciler.cli.progress import waiting
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.agent.settings import AgentSettings

__all__ = ["agent"]


@agent.command(
    "install",
    cls=Command,
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
@click.option("--force", is_flag=True, help="Make it anew even if it is there.")
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
    cls=Command,
    short_help="Say what is missing for real bots, and how to mend it.",
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
    help="Compare the clock with the Date that this address answers; without, nobody is asked.",
)
@output_option()
@pass_invocation
def doctor(invocation: Invocation, chosen: tuple[str, ...], time_from: str, output: str) -> ExitCode:
    """Look at all that real bots need here, and say what is missing and how to mend it.

    Options of the agent stand before the word doctor: what is looked at is what an agent with these options
    would use. Nothing is changed; secrets are counted, never shown. Exit code 1 if something is missing.
    """
    from reconciler.agent.doctor.checks import examine
    from reconciler.agent.doctor.probes import Subject
    from reconciler.cli.diagnosis import diagnosis_document, diagnosis_exit_code, diagnosis_text

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
