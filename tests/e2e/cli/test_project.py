"""The command line without bots: a project is made, checked and shown, and mistakes are named."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from reconciler.catalog.loading import HUMMINGBOT_VERSION
from tests.support.cli_project import COMMAND, LIMIT_S, Project, clean_environment

# -- without bots


def test_init_makes_a_valid_project_and_overwrites_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, "mqtt://127.0.0.1:1", "unused")

    first = project.run("init", "bots")
    (tmp_path / "bots" / "reconciler.yaml").write_text("source: {path: elsewhere}\n")
    second = project.run("init", "bots")

    assert re.search(r"wrote bots/schemas: \d+ schemas\n", first.stdout)
    assert second.stdout == ""
    assert re.search(r"kept  bots/schemas: \d+ schemas that exist, 0 of them differ\n", second.stderr)
    assert "kept  bots/reconciler.yaml: it exists, and differs" in second.stderr
    assert (tmp_path / "bots" / "reconciler.yaml").read_text() == "source: {path: elsewhere}\n"
    assert project.run("validate", "bots/strategies").returncode == 0


def test_what_init_writes_and_says_works_as_it_stands(project: Project) -> None:
    project.git("switch", "-q", "-c", "trunk")
    document = project.json("init", "bots")
    bots = project.folder / "bots"
    project.commit()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return project.run("--config", "bots/reconciler.yaml", *arguments)

    assert document["written"][:2] == ["bots/reconciler.yaml", "bots/strategies/btc-maker.yaml"]
    assert document["kept"] == []
    assert "ref: trunk " in (bots / "reconciler.yaml").read_text()
    assert run("validate", "--strict", "--ref", "trunk").returncode == 0
    assert run("schema", "check", f"bots/schemas/strategies/{HUMMINGBOT_VERSION}").returncode == 0
    assert run("--set", "schemas=schemas", "schema", "list").returncode == 0


def test_init_where_nothing_can_be_written_says_where_and_why(project: Project) -> None:
    (project.folder / "bots").write_text("a file")

    done = project.run("init", "bots/below")

    assert done.returncode == 1
    assert "error: cannot write bots/below: Not a directory" in done.stderr


def test_init_says_how_to_make_a_repository_and_makes_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "init"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )

    assert "git init" in done.stderr
    assert not (tmp_path / ".git").exists()
    assert (tmp_path / ".gitignore").read_text() == ".reconciler/\n"


def test_validate_names_place_and_fix_of_every_problem(project: Project) -> None:
    file = project.write("bad", state="paussed")
    file.write_text(file.read_text().replace("bid_spread", "bid_spred"))

    done = project.run("validate")
    found = project.json("validate")

    assert done.returncode == 5
    assert "strategies/bad.yaml:4:8: state: " in done.stdout
    assert re.search(
        r"strategies/bad\.yaml:6:3: config\.bid_spred: .*\n +fix: did you mean bid_spread", done.stdout
    )
    assert {problem["line"] for problem in found["problems"]} >= {4, 6}
    assert project.run("validate", "strategies/btc-maker.yaml").returncode == 0


def test_a_file_with_an_error_is_not_counted_as_valid(project: Project) -> None:
    project.write("btc maker")

    assert project.run("validate").stdout.splitlines()[-1] == "3 files, 2 valid: 1 error"


def test_commands_that_make_or_check_something_say_it_in_json_too(project: Project, tmp_path: Path) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")

        assert project.json("retry", "btc-maker")["name"] == "btc-maker"
    assert project.json("schema", "check")["problems"] == []


def test_a_name_that_is_not_there_is_answered_with_the_nearest(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        status = project.run("status", "--quick", "btc-makr")
        retry = project.run("retry", "nobody")

    assert (status.returncode, retry.returncode) == (1, 1)
    assert "fix: did you mean btc-maker?" in status.stderr
    assert "among those that we manage: nobody\n  fix: reconciler status" in retry.stderr


def test_validate_looks_at_a_branch_without_a_checkout(project: Project) -> None:
    project.git("switch", "-q", "-c", "feature")
    project.write("btc-maker", spread="wide")
    project.commit()
    project.git("switch", "-q", "main")

    assert project.run("validate").returncode == 0
    assert project.run("validate", "--ref", "feature").returncode == 5


def test_config_show_says_where_each_value_came_from_and_masks_secrets(project: Project) -> None:
    done = project.run("--set", "sync.max_deletes=7", "config", "show", RECONCILER_BROKER__PASSWORD="hunter2")

    assert re.search(r"sync\.max_deletes +7 +flag", done.stdout)
    assert re.search(r"broker\.password +\*\*\* +environment RECONCILER_BROKER__PASSWORD", done.stdout)
    assert re.search(r"broker\.url +mqtt://\S+ +reconciler\.yaml:1:", done.stdout)
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("plna",),
        ("plan", "--no-such-option"),
        ("--set", "sync.max_deletes", "plan"),
        ("--set", "sync.max_delete=3", "plan"),
        ("--config", "missing.yaml", "plan"),
        ("agent", "--fault", "lose=often"),
        ("retry", "nobody"),
    ],
)
def test_a_wrong_command_line_is_an_error_and_never_looks_like_pending_changes(
    project: Project, arguments: tuple[str, ...]
) -> None:
    done = project.run(*arguments)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "rror: " in done.stderr


def test_a_broker_out_of_reach_is_an_error_with_its_address(project: Project) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        done = project.run("plan", "--broker", f"mqtt://127.0.0.1:{port}")

    assert done.returncode == 1
    assert str(port) in done.stderr


def test_a_root_is_not_changed_under_strategies_that_run(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
    settings = project.folder / "reconciler.yaml"
    settings.write_text(settings.read_text().replace(project.root, "elsewhere"))

    done = project.run("plan")

    assert done.returncode == 1
    assert f"strategies run below {project.root!r}" in done.stderr
    assert f"set it back to {project.root}" in done.stderr
