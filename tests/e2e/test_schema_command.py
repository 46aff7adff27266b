"""`reconciler schema`, as a person uses it; with the real Hummingbot where it reads one."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from reconciler.catalog.loading import HUMMINGBOT_VERSION, load_catalog, schemas_dir
from reconciler.cli.main import run
from reconciler.errors import ExitCode, SchemaError
from reconciler.schemagen.generate import generate, write
from reconciler.schemagen.inspection import inspect
from tests.oracle import NO_CONTROLLERS, controllers, python

BELOW = Path("strategies") / HUMMINGBOT_VERSION
CONTROLLER = '''
"""A controller of a team's own."""

from decimal import Decimal

from pydantic import Field

from hummingbot.strategy_v2.controllers.controller_base import ControllerConfigBase


class QuietMakerConfig(ControllerConfigBase):
    controller_name: str = "quiet_maker"
    connector_name: str = "binance"
    trading_pair: str = "BTC-USDT"
    width: Decimal = Field(default=Decimal("0.002"), gt=0, json_schema_extra={"is_updatable": True})
'''


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A copy of our schemas, to work on."""
    return Path(shutil.copytree(schemas_dir(), tmp_path / "schemas"))


@pytest.mark.hummingbot
@pytest.mark.slow
def test_the_committed_schemas_are_what_the_real_hummingbot_gives_byte_for_byte(
    schemas: Path, capsys
) -> None:
    arguments = ["schema", "generate", "--python", str(python()), "--into", str(schemas), "--dry-run"]
    if controllers() is not None:
        arguments += ["--controllers", str(controllers())]
        manifest = json.loads((schemas / BELOW / "manifest.json").read_text())
        arguments += ["--source", manifest["source"]["controllers"]]

    assert run(arguments) == ExitCode.OK, capsys.readouterr().out


@pytest.mark.hummingbot
@pytest.mark.slow
def test_a_schema_that_was_edited_by_hand_is_made_again(schemas: Path, capsys) -> None:
    edited = schemas / BELOW / "hedge.schema.json"
    before = edited.read_text()
    edited.write_text(before.replace('"slippage"', '"slipage"'))
    assert run(["schema", "check", str(schemas / BELOW)]) == ExitCode.INVALID
    assert "is not what was generated" in capsys.readouterr().out

    assert run(["schema", "generate", "--python", str(python()), "--into", str(schemas)]) == ExitCode.OK

    assert edited.read_text() == before
    assert run(["schema", "check", str(schemas / BELOW)]) == ExitCode.OK


@pytest.mark.hummingbot
@pytest.mark.slow
def test_a_teams_own_controller_gets_a_schema_that_its_files_are_checked_against(
    tmp_path: Path, capsys
) -> None:
    own = tmp_path / "controllers" / "generic"
    own.mkdir(parents=True)
    for folder in (own, own.parent):
        (folder / "__init__.py").write_text("")
    (own / "quiet_maker.py").write_text(CONTROLLER)
    overlay = schemas_dir() / "overlay.yaml"
    into = tmp_path / "schemas"
    into.mkdir()
    shutil.copy(overlay, into)

    made = run(
        [
            "schema",
            "generate",
            "--python",
            str(python()),
            "--into",
            str(into),
            "--controllers",
            str(own.parent),
        ]
    )

    assert made == ExitCode.OK, capsys.readouterr().err
    catalog = load_catalog(HUMMINGBOT_VERSION, into)
    assert catalog.knows("quiet_maker")
    assert catalog.knows("pure_market_making")
    assert catalog.apply_mode("quiet_maker", "width") == "hot"
    assert not catalog.is_valid("quiet_maker", {"width": 0})


@pytest.mark.hummingbot
@pytest.mark.slow
def test_a_dry_run_writes_nothing_at_all(tmp_path: Path, capsys) -> None:
    into = tmp_path / "new"

    code = run(["schema", "generate", "--python", str(python()), "--into", str(into), "--dry-run"])

    assert (code, into.exists()) == (ExitCode.CHANGES, False)
    assert f"would change {into / 'strategy.schema.json'}" in capsys.readouterr().out


def test_schemas_that_cannot_be_written_say_where(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SchemaError, match=r"cannot write .*file/a\.json: Not a directory|File exists"):
        write({tmp_path / "file" / "a.json": "{}"})


def test_without_hummingbot_the_interpreter_says_what_is_missing() -> None:
    with pytest.raises(SchemaError, match="No module named 'hummingbot'") as raised:
        inspect(Path(sys.executable))

    assert "agent install" in raised.value.fix


def test_an_interpreter_that_hangs_is_given_up(tmp_path: Path) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)

    with pytest.raises(SchemaError, match="did not finish"):
        inspect(sleeper, timeout_s=0.5)


def test_an_interpreter_that_prints_nonsense_is_no_source(tmp_path: Path) -> None:
    chatter = tmp_path / "python"
    chatter.write_text("#!/bin/sh\necho hello\n")
    chatter.chmod(0o755)

    with pytest.raises(SchemaError, match="not JSON"):
        inspect(chatter)


def test_something_that_is_no_program_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("")

    with pytest.raises(SchemaError, match="cannot be started"):
        inspect(tmp_path / "python")


def test_a_folder_of_controllers_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="is not a folder"):
        inspect(Path(sys.executable), tmp_path / "controllers")


def test_the_list_has_every_type_with_its_fields(capsys) -> None:
    assert run(["schema", "list", "-o", "json"]) == ExitCode.OK

    listed = json.loads(capsys.readouterr().out)
    assert {line["name"] for line in listed["types"]} == set(load_catalog().types)
    assert listed["hummingbot"] == HUMMINGBOT_VERSION


def test_a_types_fields_are_shown_with_unit_default_and_bounds(capsys) -> None:
    assert run(["schema", "show", "pure_market_making"]) == ExitCode.OK

    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("bid_spread ")]
    assert "> 0 < 100" in line
    assert "percent" in line
    assert "hot" in line


def test_an_unknown_type_is_answered_with_the_nearest_one(capsys) -> None:
    assert run(["schema", "show", "pure_market_makin"]) == ExitCode.ERROR

    assert "did you mean pure_market_making?" in capsys.readouterr().err


def test_an_unknown_version_is_answered_with_the_known_ones(capsys) -> None:
    assert run(["--set", "hummingbot_version=20200101", "schema", "list"]) == ExitCode.ERROR

    said = capsys.readouterr().err
    assert "no schemas of Hummingbot 20200101" in said
    assert HUMMINGBOT_VERSION in said


def test_a_missing_file_and_one_that_nobody_knows_are_found(schemas: Path, capsys) -> None:
    folder = schemas / BELOW
    (folder / "hedge.schema.json").rename(folder / "hedges.schema.json")

    assert run(["schema", "check", str(folder)]) == ExitCode.INVALID

    said = capsys.readouterr().out
    assert "it is in the manifest, but not in the folder" in said
    assert "it is not in the manifest" in said


def test_a_file_that_is_no_schema_is_found(schemas: Path, capsys) -> None:
    (schemas / BELOW / "hedge.schema.json").write_text('{"type": 5}')

    assert run(["schema", "check", str(schemas / BELOW)]) == ExitCode.INVALID
    assert "not a JSON Schema" in capsys.readouterr().out


def test_a_folder_without_a_manifest_is_no_folder_of_schemas(tmp_path: Path, capsys) -> None:
    assert run(["schema", "check", str(tmp_path)]) == ExitCode.ERROR

    assert "reconciler schema generate" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(python() is None or controllers() is None, reason=NO_CONTROLLERS)
def test_every_rule_of_the_overlay_meets_a_field(schemas: Path) -> None:
    interpreter = python()
    assert interpreter is not None
    files = generate(
        interpreter, schemas, controllers=controllers(), overlay=schemas / "overlay.yaml", every_rule=True
    )

    assert len(files) == len(load_catalog().types) + 2
