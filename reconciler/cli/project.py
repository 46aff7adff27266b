"""`init`: the files that a new repository of strategies starts with. Nothing that exists is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli.command import command
from reconciler.cli.output import note, say
from reconciler.errors import ExitCode

SETTINGS = """\
# Settings of `reconciler`; every key and its default: reconciler config show
source:
  repository: .               # path or URL (https, ssh, file)
  ref: main                   # branch, tag or commit that the bots follow
  path: strategies
broker:
  url: mqtt://localhost:1883  # mqtt:, mqtts:, or embedded: for a broker that comes along
  # username: ${env:MQTT_USERNAME}
  # password: ${file:/run/secrets/mqtt_password}
targets:
  default: {root: hummingbot}
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
def init(folder: Path) -> ExitCode:
    """Start a repository of strategies.

    Writes reconciler.yaml, one strategy, the schemas that editors check it with, and a line in .gitignore.
    What is there already stays as it is.
    """
    written = [path for path, text in _files(folder) if _write(path, text)]
    written += _ignore(folder / ".gitignore")
    for path in written:
        say(f"wrote {path}")
    for hint in _next_steps(folder):
        note(hint)
    return ExitCode.OK


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    from reconciler.catalog.packaged import schemas_dir

    yield folder / "reconciler.yaml", SETTINGS.encode()
    yield folder / "strategies" / "btc-maker.yaml", SAMPLE.encode()
    for file in sorted(schemas_dir().rglob("*.schema.json")):
        yield folder / "schemas" / file.relative_to(schemas_dir()), file.read_bytes()


def _write(path: Path, content: bytes) -> bool:
    """Write a file that is not there yet; says so if it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        note(f"kept  {path}: it exists" + ("" if path.read_bytes() == content else ", and differs"))
        return False
    return True


def _ignore(path: Path) -> list[Path]:
    """Add our line to .gitignore, unless it has it."""
    before = path.read_text() if path.exists() else ""
    if IGNORED in before.splitlines():
        note(f"kept  {path}: it has {IGNORED}")
        return []
    gap = "\n" if before and not before.endswith("\n") else ""
    path.write_text(f"{before}{gap}{IGNORED}\n")
    return [path]


def _next_steps(folder: Path) -> Iterator[str]:
    yield ""
    yield "next:"
    if folder != Path():
        yield f"  cd {folder}"
    if not _in_repository(folder):
        yield "  git init -b main && git add -A && git commit -m 'Start'"
    yield "  reconciler validate"
    yield "  reconciler plan"


def _in_repository(folder: Path) -> bool:
    """Whether `folder` is inside a Git repository, as Git itself looks for it: a .git here or above."""
    whole = folder.resolve()
    return any((place / ".git").exists() for place in (whole, *whole.parents))
