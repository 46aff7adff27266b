"""`policy` with the real command on real Git repositories: validate, plan, apply and run hold to the same rules."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto
from tests.support.cli_project import LIMIT_S, Project

EXCLUSIVE = "policy: {exclusive_markets: error}\n"
LENIENT = ("--set", "policy.exclusive_markets=off")
NARROW = "policy: {fees: {default: {maker: 0.2%}}}\n"


class PolicyProject(Project):
    """A project whose policy is written next to its settings."""

    def policy(self, text: str) -> None:
        file = self.folder / "reconciler.yaml"
        rest = [line for line in file.read_text().splitlines() if not line.startswith("policy:")]
        file.write_text("\n".join([*rest, text]))

    def lives(self, config: str = "reconciler.yaml") -> dict[str, str]:
        """The live state of each strategy, whatever the policy says."""
        document = self.json("--config", config, *LENIENT, "status", "--quick")
        return {row["name"]: row["live"] for row in document["strategies"]}

    def until_running(self, *names: str, config: str = "reconciler.yaml") -> None:
        deadline = time.monotonic() + LIMIT_S
        while not {name for name, live in self.lives(config).items() if live == "running"} >= set(names):
            assert time.monotonic() < deadline, f"not all of {names} run"
            time.sleep(0.1)


@pytest.fixture
def project(tmp_path: Path) -> PolicyProject:
    """Two makers on two pairs, committed; no broker."""
    return _make_project(tmp_path, "memory:")


@pytest.fixture
def live_project(mosquitto: Mosquitto, tmp_path: Path) -> PolicyProject:
    return _make_project(tmp_path, mosquitto.url)


def _make_project(tmp_path: Path, broker: str) -> PolicyProject:
    folder = tmp_path / "repository"
    folder.mkdir()
    project = PolicyProject(folder, broker, "policy")
    project.write("btc")
    project.write("eth", pair="ETH-USDT")
    project.commit()
    return project


# -- validate


def test_validate_shows_each_finding_with_place_fix_and_exit_code_5(project: PolicyProject) -> None:
    project.policy(EXCLUSIVE)
    project.write("more")
    done = project.run("validate")

    assert done.returncode == 5
    assert (
        "strategies/btc.yaml:3:15: trading_pair: BTC-USDT on binance is traded with account default"
        in done.stdout
    )
    assert "(see more at strategies/more.yaml:3:15)" in done.stdout
    assert "fix: give one of them another account or pair" in done.stdout
    assert done.stdout.splitlines()[-1] == "3 files, 1 valid: 2 errors"


def test_without_a_policy_the_same_files_are_fine(project: PolicyProject) -> None:
    project.write("more")

    assert project.run("validate").returncode == 0


def test_a_named_file_is_judged_among_all_and_reported_alone(project: PolicyProject) -> None:
    project.policy(EXCLUSIVE)
    project.write("more")
    found = project.json("validate", "strategies/more.yaml")

    assert found["exit_code"] == 5
    assert [problem["file"] for problem in found["problems"]] == ["strategies/more.yaml"]
    assert "btc at strategies/btc.yaml:3:15" in found["problems"][0]["what"]


def test_a_commit_is_judged_by_its_own_files_and_the_policy_of_today(project: PolicyProject) -> None:
    project.write("more")
    project.commit()
    project.policy(EXCLUSIVE)
    project.write("more", pair="SOL-USDT")

    assert project.run("validate").returncode == 0
    assert project.run("validate", "--ref", "main").returncode == 5


def test_a_second_look_finds_what_the_first_found(project: PolicyProject) -> None:
    project.policy(EXCLUSIVE)
    project.write("more")
    first = project.json("validate")

    assert project.json("validate") == first
    project.policy("")
    assert project.run("validate").returncode == 0


def test_a_loss_is_a_warning_that_strict_makes_an_error(project: PolicyProject) -> None:
    project.policy(NARROW)
    found = project.json("validate")

    assert (found["exit_code"], found["errors"], found["warnings"]) == (0, 0, 2)
    assert found["problems"][0]["what"].startswith("bid_spread + ask_spread = 0.2 %, but two maker fees")
    assert project.run("validate", "--strict").returncode == 5


def test_a_policy_that_could_never_apply_is_a_mistake_in_the_settings(project: PolicyProject) -> None:
    project.policy("policy: {limits: [{field: config.order_amout, max: 1}]}\n")

    for command in (("validate",), ("plan",), ("apply", "--yes"), ("run",)):
        done = project.run(*command)
        assert done.returncode == 1, command
        assert "policy.limits.0.field: no strategy type has a field order_amout" in done.stderr
        assert "did you mean config.order_amount?" in done.stderr


# -- plan, apply, run


def test_plan_and_apply_refuse_a_commit_that_breaks_a_rule(live_project: PolicyProject) -> None:
    project = live_project
    project.policy(EXCLUSIVE)
    project.write("more")
    project.commit()

    with project.agent():
        for command in (("plan",), ("apply", "--yes")):
            done = project.run(*command)
            assert done.returncode == 5, done.stderr
            assert "strategies/more.yaml:3:15: trading_pair: BTC-USDT on binance" in done.stderr
            assert "error: 2 problems in strategy files" in done.stderr
        assert "running" not in project.lives().values()


def test_under_skip_those_who_break_a_rule_are_left_alone_and_the_rest_goes_on(
    live_project: PolicyProject,
) -> None:
    project = live_project
    with project.agent():
        project.until(2, "plan")
        assert project.run("apply", "--yes").returncode == 0
        project.policy(EXCLUSIVE)
        project.write("btc", spread="0.4%")
        project.write("more")
        project.write("sol", pair="SOL-USDT")
        project.commit()

        done = project.run("--set", "sync.on_invalid=skip", "apply", "--yes")
        lives = project.lives()

    assert "trading_pair: BTC-USDT on binance" in done.stderr
    assert lives["btc"] == lives["eth"] == lives["sol"] == "running"
    assert lives.get("more") != "running"
    assert "config.bid_spread" not in done.stdout


def test_warnings_are_shown_with_a_plan(live_project: PolicyProject) -> None:
    project = live_project
    project.policy(NARROW)

    with project.agent():
        project.until(2, "plan")
        done = project.run("plan")

    assert (
        "strategies/btc.yaml:6:15: warning: config.bid_spread: bid_spread + ask_spread = 0.2 %" in done.stderr
    )
    assert "btc" in done.stdout


def test_the_service_keeps_the_last_good_commit_and_says_what_is_wrong(live_project: PolicyProject) -> None:
    project = live_project
    project.policy(EXCLUSIVE + "notifications: {channels: [telegram]}\n")

    with project.agent(), project.beside("run"):
        project.until_running("btc", "eth")
        project.write("more")
        project.commit()
        time.sleep(0.5)  # the service sees the commit meanwhile, and must not act on it
        assert project.run("plan").returncode == 5
        assert project.lives().get("more") != "running"

        project.write("more", pair="SOL-USDT")
        project.commit()
        project.until_running("btc", "eth", "more")


def test_a_wrong_policy_is_not_loaded_while_the_service_runs(live_project: PolicyProject) -> None:
    project = live_project
    settings = project.folder / "reconciler.yaml"
    (project.folder / "look.yaml").write_text(settings.read_text())

    with project.agent(), project.beside("run") as service:
        project.until_running("btc", "eth", config="look.yaml")
        project.policy("policy: {limits: [{field: config.order_amout, max: 1}]}\n")
        service.send_signal(signal.SIGHUP)
        project.write("sol", pair="SOL-USDT")
        project.commit()
        project.until_running("btc", "eth", "sol", config="look.yaml")

        assert service.poll() is None
