"""Status, logs and the service next to a real agent."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.support.cli_project import LIMIT_S, Project

# -- looking


def test_status_shows_wish_and_life_side_by_side(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
        project.write("eth-maker", spread="0.2%", pair="ETH-USDT", state="stopped")
        project.commit()
        rows = {row["name"]: row for row in project.json("status", "--quick")["strategies"]}
        text = project.run("status", "--quick", "eth-maker").stdout

        assert (rows["btc-maker"]["wish"], rows["btc-maker"]["live"]) == ("running", "running")
        assert rows["btc-maker"]["sync"] == "in sync"
        assert rows["btc-maker"]["health"] == "healthy"
        assert rows["eth-maker"]["sync"] == "pending"
        assert "btc-maker" not in text
        assert project.run("status", "nobody", "--quick").returncode == 1


def test_logs_follows_what_the_bots_say(project: Project) -> None:
    with project.agent(), project.beside("logs", "-f", "-o", "json") as logs:
        project.until(2, "plan")
        project.run("apply", "--yes")
        project.git("rm", "-q", "strategies/btc-maker.yaml")
        project.commit()
        project.run("apply", "--yes")
        assert logs.stdout is not None
        record = json.loads(logs.stdout.readline())

        assert record["strategy_name"] in {"btc-maker", "eth-maker"}
        assert record["message"]


# -- the service


def test_the_service_follows_commits_and_leaves_when_stopped(project: Project) -> None:
    with project.agent(), project.beside("run") as service:
        project.until(0, "plan")
        project.write("btc-maker", spread="0.2%")
        project.commit()
        project.until(0, "plan")
        service.send_signal(signal.SIGTERM)

        assert service.wait(LIMIT_S) == 0


def test_the_service_says_first_what_it_follows(project: Project) -> None:
    with project.beside("--set", "sync.auto=false", "run", "--worktree") as service:
        assert service.stdout is not None
        first = service.stdout.readline()

    assert f"connected to {project.broker}; following the files of strategies in {project.folder}" in first
    assert "sync.auto is off: nothing is changed" in first


@pytest.mark.parametrize("moment_s", [0.2, 0.4, 0.6, 0.8, 1.0])
def test_a_commit_while_the_service_starts_is_not_missed(project: Project, moment_s: float) -> None:
    with project.agent(), project.beside("--set", "source.interval=1h", "run"):
        time.sleep(moment_s)
        project.write("btc-maker", spread="0.2%")
        project.commit()

        project.until(0, "plan")


def test_the_service_reads_its_settings_again(project: Project) -> None:
    settings = project.folder / "reconciler.yaml"
    before = settings.read_text()
    settings.write_text(before + "sync: {auto: false}\n")
    with project.agent(), project.beside("run") as service:
        project.until(2, "plan")
        settings.write_text(before)
        service.send_signal(signal.SIGHUP)

        project.until(0, "plan")
