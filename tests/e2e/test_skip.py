"""`sync.on_invalid: skip` with real processes: a bad file's strategy is left alone, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto
from tests.support.cli_project import Project

SKIP = ("--set", "sync.on_invalid=skip")


@pytest.fixture
def project(mosquitto: Mosquitto, tmp_path: Path) -> Project:
    folder = tmp_path / "repository"
    folder.mkdir()
    project = Project(folder, mosquitto.url, "skip")
    project.write("other")
    named = project.write("desk")
    named.write_text("strategy_name: eth\n" + named.read_text())
    project.commit()
    return project


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("strategy_name:", "strategy_nam:"), ("config:", "config: ["), ("state: running", "state: runing")],
    ids=["name mistyped", "no YAML", "bad value"],
)
def test_a_mistake_in_a_file_never_deletes_its_strategy(project: Project, right: str, wrong: str) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
        file = project.folder / "strategies" / "desk.yaml"
        file.write_text(file.read_text().replace(right, wrong))
        project.commit()

        project.run(*SKIP, "apply", "--yes")
        rows = {row["name"]: row["live"] for row in project.json(*SKIP, "status", "--quick")["strategies"]}

    assert rows["eth"] == "running"
    assert rows["other"] == "running"
