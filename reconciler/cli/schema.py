"""`schema generate`, `list`, `show`, `check`: the schemas of Hummingbot's strategies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from reconciler.cli.command import CliCommand
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.errors import ExitCode, SchemaError

PYTHON_VARIABLE = "RECONCILER_HUMMINGBOT_PYTHON"


@click.group(short_help="Make, list, show and check the schemas of Hummingbot's strategies.")
def schema() -> None:
    """Look after the JSON Schemas that strategy files are checked against."""


@schema.command(
    "generate",
    cls=CliCommand,
    short_help="Make the schemas out of an installed Hummingbot.",
    examples=[
        ("schema generate --python /opt/hummingbot/bin/python", ""),
        (
            "schema generate --python /opt/hummingbot/bin/python --controllers hummingbot/controllers",
            "with a team's own controllers",
        ),
        (
            "schema generate --python /opt/hummingbot/bin/python --dry-run",
            "exit code 2 if anything would change",
        ),
    ],
)
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar=PYTHON_VARIABLE,
    required=True,
    help=f"Interpreter that has Hummingbot.  [default: ${PYTHON_VARIABLE}]",
)
@click.option(
    "--controllers",
    type=click.Path(path_type=Path),
    help="Folder of v2 controllers, of a Hummingbot checkout.",
)
@click.option("--source", default="", metavar="TEXT", help="Where that folder is from, for the manifest.")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path("schemas"),
    show_default=True,
    help="Folder to write to.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; say which files would change.")
@output_option()
def generate(  # noqa: PLR0913, PLR0917  (click's: one for each option)
    python: Path, controllers: Path | None, source: str, into: Path, dry_run: bool, output: str
) -> ExitCode:
    """Read Hummingbot's own code and write one JSON Schema for each strategy type.

    What the code does not say comes from the overlay: schemas/overlay.yaml in --into, or ours.
    """
    from reconciler.catalog.loading import schemas_dir
    from reconciler.schemagen import generate as generating

    own = into / "overlay.yaml"
    files = generating.generate(
        python,
        into,
        controllers=controllers,
        source=source,
        overlay=own if own.exists() else schemas_dir() / "overlay.yaml",
    )
    changed = generating.differing(files) if dry_run else generating.write(files)
    code = ExitCode.CHANGES if dry_run and changed else ExitCode.OK
    if output == "json":
        say_json({
            "format": "reconciler.schemas/1",
            "exit_code": int(code),
            "files": len(files),
            "changed": [str(path) for path in changed],
        })  # fmt: skip
        return code
    for path in changed:
        say(f"{'would change' if dry_run else 'wrote'} {path}")
    note(f"{len(files)} files, {len(changed)} {'to change' if dry_run else 'changed'}")
    return code


@schema.command(
    "list",
    cls=CliCommand,
    short_help="List versions and strategy types.",
    examples=[("schema list", ""), ("schema list -o json", "")],
)
@output_option()
@pass_invocation
def list_(invocation: Invocation, output: str) -> ExitCode:
    """List the strategy types that there are schemas of, for the Hummingbot version of the settings."""
    from reconciler.cli.render.schemas import type_line

    lines = [type_line(one) for _, one in sorted(_schemas(invocation).items())]
    if output == "json":
        say_json({"hummingbot": invocation.settings().hummingbot_version, "types": lines})
        return ExitCode.OK
    rows = [(one.name, one.kind, f"{one.fields} fields", f"{one.hot} hot") for one in lines]
    say(_table(rows))
    note(f"Hummingbot {invocation.settings().hummingbot_version}, {len(lines)} strategy types")
    return ExitCode.OK


@schema.command(
    "show",
    cls=CliCommand,
    short_help="Show the fields of a strategy type.",
    examples=[
        ("schema show pure_market_making", ""),
        ("schema show hedge -o json", "the JSON Schema itself"),
    ],
)
@click.argument("strategy_type")
@output_option()
@pass_invocation
def show(invocation: Invocation, strategy_type: str, output: str) -> ExitCode:
    """Show each field: what it takes, its unit, its default, and whether a running bot takes a change."""
    from reconciler.catalog.violations import nearest
    from reconciler.cli.render.schemas import field_lines

    known = _schemas(invocation)
    if strategy_type not in known:
        near = nearest(strategy_type, known)
        raise SchemaError(
            f"there is no schema of {strategy_type}",
            f"did you mean {near}?" if near else "reconciler schema list",
        )
    if output == "json":
        say_json(known[strategy_type])
        return ExitCode.OK
    rows = [
        (
            f"{one.name}{' *' if one.required else ''}",
            one.takes,
            one.unit,
            one.default,
            one.apply,
            one.description,
        )
        for one in field_lines(known[strategy_type])
    ]
    say(_table([("FIELD", "TAKES", "UNIT", "DEFAULT", "CHANGE", ""), *rows]))
    note("* required")
    return ExitCode.OK


@schema.command(
    "check",
    cls=CliCommand,
    short_help="Check schemas against their manifest.",
    examples=[("schema check", ""), ("schema check schemas/strategies/20260922", "")],
)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@output_option()
@pass_invocation
def check(invocation: Invocation, folder: Path | None, output: str) -> ExitCode:
    """Say which schemas are missing, were edited by hand, or are not JSON Schemas."""
    from reconciler.schemagen.generate import check_folder

    below = Path("strategies") / invocation.settings().hummingbot_version
    problems = check_folder(folder or (_own(invocation) or _ours()) / below)
    code = ExitCode.INVALID if problems else ExitCode.OK
    if output == "json":
        found = [{"file": each.location.file, "what": each.what, "fix": each.fix} for each in problems]
        say_json({"format": "reconciler.schema-check/1", "exit_code": int(code), "problems": found})
        return code
    for problem in problems:
        say(str(problem))
    note(f"{len(problems)} problems" if problems else "as generated")
    return code


def _schemas(invocation: Invocation) -> dict[str, dict[str, object]]:
    """Type → schema: ours, and on top of them those of the settings."""
    from reconciler.catalog.loading import SUFFIX, load_catalog

    settings = invocation.settings()
    own = _own(invocation)
    load_catalog(settings.hummingbot_version, own)  # says what is missing, if that is so
    roots = [_ours(), *([own] if own else [])]
    files = [
        file
        for root in roots
        for file in sorted((root / "strategies" / settings.hummingbot_version).glob(f"*{SUFFIX}"))
    ]
    return {file.name.removesuffix(SUFFIX): json.loads(file.read_bytes()) for file in files}


def _own(invocation: Invocation) -> Path | None:
    named = invocation.settings().schemas
    return Path(named) if named else None


def _ours() -> Path:
    from reconciler.catalog.loading import schemas_dir

    return schemas_dir()


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [min(44, max(len(row[at]) for row in rows)) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
