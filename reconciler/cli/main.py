"""
The command `reconciler`: finds the command that is asked for and runs it.

Here and nowhere else a deliberate error becomes words on stderr and an exit code; anything else is a bug and
shows its traceback. Commands are imported when they are called, so that `reconciler --help` is quick.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from reconciler import __version__
from reconciler.cli.failure import INTERRUPTED, explain, forget_stdout
from reconciler.cli.invocation import Invocation
from reconciler.errors import ExitCode, ReconcilerError

COMMANDS = {
    "demo": "See it all work, on this machine, in under a minute.",
    "init": "Start a repository of strategies.",
    "validate": "Check strategy files; every problem with its fix.",
    "plan": "Show what it takes to make the bots match Git.",
    "apply": "Make the bots match Git, once.",
    "status": "Show each strategy: wish, live, sync, health, performance.",
    "logs": "Print what the bots log.",
    "retry": "Try again a strategy that stopped with an error.",
    "run": "Keep the bots matching Git until stopped.",
    "agent": "Run the bots and carry out commands.",
    "schema": "Make, list, show and check the schemas of Hummingbot's strategies.",
    "config": "Show the settings in force and where each came from.",
    "completion": "Print the completion script of a shell.",
}
"""Each command and its line in `reconciler --help`, in the order in which people meet them. The module has the command's
name; a test holds the line to the command's own.
"""

MEANINGS = {
    ExitCode.OK: "nothing to do, or done",
    ExitCode.ERROR: "error",
    ExitCode.CHANGES: "changes pending",
    ExitCode.REFUSED: "refused: by a brake, or because a saved plan is out of date",
    ExitCode.UNKNOWN: "live state unknown or stale",
    ExitCode.INVALID: "invalid files",
}


class _Commands(click.Group):
    """A group whose commands are imported when they are called, and listed without that."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"reconciler.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Exit codes, of every command"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])


@click.command(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings file.  [default: reconciler.yaml, if it is there]",
)
@click.option(
    "--set", "sets", metavar="SECTION.KEY=VALUE", multiple=True, help="Set one setting; may be repeated."
)
@click.option("-v", "--verbose", count=True, help="Log to stderr; -vv logs more.")
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, sets: tuple[str, ...], verbose: int) -> None:
    """GitOps for Hummingbot: makes running bots match the YAML in a Git repository."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False
    ctx.obj = Invocation(config, sets, verbose)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; everything that it prints is out by then."""
    try:
        code = cli.main(args=arguments, prog_name="reconciler", standalone_mode=False)
        if sys.stdout is not None:  # the caller closed it (`>&-`)
            sys.stdout.flush()
    except ReconcilerError as error:
        return explain(error)
    except click.ClickException as error:
        error.show()
        return ExitCode.ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        forget_stdout()
        return ExitCode.ERROR
    return int(code or 0)


def main() -> NoReturn:
    """Entry point of the console script."""
    code = run(sys.argv[1:])
    gc.freeze()  # no search for garbage at the end: 25 ms of a warm plan (benchmarks.cold_plan)
    sys.exit(code)
