"""`validate`: what is wrong with strategy files, before anybody sees them."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.command import command
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.output import output_option, say, say_json
from reconciler.errors import ExitCode

_UNUSED = ("broker", "notifications", "store")
"""Files are checked where the secrets of these are not: on a laptop, in the CI of a pull request."""


@command(
    "Check strategy files; every problem with its fix.",
    examples=[
        ("validate", "the files as they are"),
        ("validate strategies/btc-maker.yaml", ""),
        ("validate --ref feature -o json", ""),
        ("validate --strict -o github", "annotations of a pull request"),
    ],
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--ref", metavar="REF", help="Check this branch, tag or commit instead of the files as they are."
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@output_option("github", "sarif", "junit")
@pass_invocation
def validate(
    invocation: Invocation, paths: tuple[Path, ...], ref: str | None, strict: bool, output: str
) -> ExitCode:
    """Check strategy files, and show every problem with its fix.

    PATHS are files or folders; without any, the folder of the settings (source.path) is checked, as its files
    stand, committed or not. Nothing is asked of broker or bots.
    """
    if paths and ref:
        raise click.UsageError("--ref is about the folder of the settings; leave out the paths")
    from reconciler.cli.findings import find

    found = find(invocation.settings(unused=_UNUSED), paths, ref)
    found = found.strict() if strict else found
    if output == "sarif":
        from reconciler.cli.render.sarif import findings_sarif

        say_json(findings_sarif(found))
        return found.exit_code
    from reconciler.cli.render import findings

    match output:
        case "json":
            say_json(findings.findings_document(found))
        case "github":
            say(findings.findings_github(found))
        case "junit":
            say(findings.findings_junit(found))
        case _:
            say(findings.findings_text(found))
    return found.exit_code
