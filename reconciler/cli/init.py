"""`init`: the files that a new repository of strategies starts with. Nothing that exists is overwritten."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import click

from reconciler.cli.command import command
from reconciler.cli.output import note, output_option, say, say_json
from reconciler.errors import ExitCode, ReconcilerError, SourceError

FORMAT = "reconciler.init/1"

SCHEMAS = "schemas"

USUAL_BRANCH = "main"

_AT_BRANCH = "ref: refs/heads/"
"""How a repository's HEAD names the branch that is checked out."""

SETTINGS = """\
# Settings of `reconciler`; every key and its default: reconciler config show
source:
  repository: .               # path or URL (https, ssh, file)
  ref: {branch:<22} # branch, tag or commit that the bots follow
  path: strategies
broker:
  url: mqtt://localhost:1883  # mqtt:, mqtts:, or embedded: for a broker that comes along
  # username: ${{env:MQTT_USERNAME}}
  # password: ${{file:/run/secrets/mqtt_password}}
targets:
  default: {{root: hummingbot}}
sync:
  max_deletes: 3              # brakes: a plan that does more is refused until a person says so
  max_change_fraction: 0.3
"""

SAMPLE = """\
# yaml-language-server: $schema=../schemas/strategy.schema.json
strategy_type: pure_market_making
exchange: binance_paper_trade
trading_pair: BTC-USDT
state: stopped                # change to running when you mean it
config:
  bid_spread: 0.1%            # or 10bps; a bare number is in Hummingbot's own unit for the field
  ask_spread: 0.1%
  order_amount: 0.01
  order_refresh_time: 30
"""

IGNORED = ".reconciler/"
"""The state file, the cache and the private clone: of this machine, not of the repository."""


@command(
    "Start a repository of strategies.", examples=[("init", "in the current folder"), ("init my-bots", "")]
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@output_option()
def init(folder: Path, output: str) -> ExitCode:
    """Start a repository of strategies.

    Writes reconciler.yaml, one strategy, the schemas that editors check it with, and a line in .gitignore.
    What is there already stays as it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = [_InitFile(path, _write(path, text)) for path, text in _starter_files(folder)]
        done.append(_InitFile(folder / ".gitignore", _ignore(folder / ".gitignore")))
    except OSError as error:
        what = f"cannot write {error.filename or folder}: {error.strerror}"
        raise ReconcilerError(
            what, fix="free disk space, fix its permissions, or name another folder"
        ) from error
    if output == "json":
        written = [str(path) for path, outcome in done if outcome is _FileOutcome.WRITTEN]
        kept = [
            {"path": str(path), "differs": outcome is _FileOutcome.DIFFERS}
            for path, outcome in done
            if outcome
        ]
        say_json({"format": FORMAT, "exit_code": 0, "written": written, "kept": kept})
    else:
        _print_outcomes(done, folder)
    return ExitCode.OK


class _FileOutcome(StrEnum):
    """The outcome for a file; the value is printed for one that existed before."""

    WRITTEN = ""
    SAME = "it exists"
    DIFFERS = "it exists, and differs"


class _InitFile(NamedTuple):
    path: Path
    kept: _FileOutcome


def _starter_files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    from reconciler.catalog.loading import MANIFEST, schemas_dir

    yield folder / "reconciler.yaml", SETTINGS.format(branch=_branch(folder)).encode()
    yield folder / "strategies" / "btc-maker.yaml", SAMPLE.encode()
    for file in sorted((*schemas_dir().rglob("*.schema.json"), *schemas_dir().rglob(MANIFEST))):
        yield folder / SCHEMAS / file.relative_to(schemas_dir()), file.read_bytes()


def _branch(folder: Path) -> str:
    """The branch that is checked out where `folder` is; the usual one where there is none."""
    from reconciler.sources.git_source import find_repository

    try:
        head = (find_repository(folder)[0] / "HEAD").read_text(encoding="utf-8").strip()
    except (SourceError, OSError):
        return USUAL_BRANCH
    return head.removeprefix(_AT_BRANCH) if head.startswith(_AT_BRANCH) else USUAL_BRANCH


def _write(path: Path, content: bytes) -> _FileOutcome:
    """Write a file that is not there yet, whole or not at all: the next try would keep a half one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = path.open("xb")
    except FileExistsError:
        return _FileOutcome.SAME if path.read_bytes() == content else _FileOutcome.DIFFERS
    try:
        with file:
            file.write(content)
    except OSError:
        path.unlink()
        raise
    return _FileOutcome.WRITTEN


def _ignore(path: Path) -> _FileOutcome:
    """Add our line to .gitignore, unless it has it."""
    before = path.read_text() if path.exists() else ""
    if IGNORED in before.splitlines():
        return _FileOutcome.SAME
    gap = "\n" if before and not before.endswith("\n") else ""
    path.write_text(f"{before}{gap}{IGNORED}\n")
    return _FileOutcome.WRITTEN


def _print_outcomes(done: list[_InitFile], folder: Path) -> None:
    """Print the outcome of each file, of the many schemas in one line, and the commands to type next."""
    schemas = [one for one in done if one.path.is_relative_to(folder / SCHEMAS)]
    for path, kept in (one for one in done if one not in schemas):
        if kept:
            note(f"kept  {path}: {kept}")
        else:
            say(f"wrote {path}")
    number = Counter(kept for _, kept in schemas)
    if number[_FileOutcome.WRITTEN]:
        say(f"wrote {folder / SCHEMAS}: {number[_FileOutcome.WRITTEN]} schemas")
    if left := len(schemas) - number[_FileOutcome.WRITTEN]:
        note(
            f"kept  {folder / SCHEMAS}: {left} schemas that exist, {number[_FileOutcome.DIFFERS]} of them differ"
        )
    whole = folder.resolve()
    is_in_repository = any((place / ".git").exists() for place in (whole, *whole.parents))
    note("\nnext:")
    if folder != Path():
        note(f"  cd {shlex.quote(str(folder))}")
    if not is_in_repository:
        note(f"  git init -b {USUAL_BRANCH}")
    note("  git add reconciler.yaml strategies schemas .gitignore && git commit -m 'Start'")
    note("  reconciler validate")
    note(
        "  export RECONCILER_BROKER__URL=embedded:   # or set broker.url in reconciler.yaml to your own broker"
    )
    note("  reconciler agent &                        # simulated bots")
    note("  reconciler plan")
