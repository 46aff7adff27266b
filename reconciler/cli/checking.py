"""`validate`: what is wrong with strategy files, before anybody sees them."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.command import command
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.output import output_option, say, say_json
from reconciler.errors import ExitCode


@command(
    "Check strategy files; every problem with its fix.",
    examples=[
        ("validate", "the files as they stand"),
        ("validate strategies/btc-maker.yaml", ""),
        ("validate --ref feature -o json", ""),
    ],
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--ref", metavar="REF", help="Check this branch, tag or commit instead of the files as they stand."
)
@output_option()
@pass_invocation
def validate(invocation: Invocation, paths: tuple[Path, ...], ref: str | None, output: str) -> ExitCode:
    """Check strategy files, and show every problem with its fix.

    PATHS are files or folders; without any, the folder of the settings (source.path) is checked, as its files
    stand, committed or not. Nothing is asked of Git, broker or bots.
    """
    from reconciler.cli.findings import find, findings_document, findings_exit_code, findings_text

    found = find(invocation.settings(), paths, ref)
    if output == "json":
        say_json(findings_document(found))
    else:
        say(findings_text(found))
    return findings_exit_code(found)
