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


class Desk(Project):
    """A project whose policy is written beside its settings."""

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
def desk(tmp_path: Path) -> Desk:
    """Two makers on two pairs, committed; no broker."""
    return _desk(tmp_path, "memory:")


@pytest.fixture
def live_desk(mosquitto: Mosquitto, tmp_path: Path) -> Desk:
    return _desk(tmp_path, mosquitto.url)


def _desk(tmp_path: Path, broker: str) -> Desk:
    folder = tmp_path / "repository"
    folder.mkdir()
    desk = Desk(folder, broker, "policy")
    desk.write("btc")
    desk.write("eth", pair="ETH-USDT")
    desk.commit()
    return desk


# -- validate


def test_validate_shows_each_finding_with_place_fix_and_exit_code_5(desk: Desk) -> None:
    desk.policy(EXCLUSIVE)
    desk.write("more")
    done = desk.run("validate")

    assert done.returncode == 5
    assert (
        "strategies/btc.yaml:3:15: trading_pair: BTC-USDT on binance is traded with account default"
        in done.stdout
    )
    assert "(see more at strategies/more.yaml:3:15)" in done.stdout
    assert "fix: give one of them another account or pair" in done.stdout
    assert done.stdout.splitlines()[-1] == "3 files, 1 valid: 2 errors"


def test_without_a_policy_the_same_files_are_fine(desk: Desk) -> None:
    desk.write("more")

    assert desk.run("validate").returncode == 0


def test_a_named_file_is_judged_among_all_and_told_alone(desk: Desk) -> None:
    desk.policy(EXCLUSIVE)
    desk.write("more")
    found = desk.json("validate", "strategies/more.yaml")

    assert found["exit_code"] == 5
    assert [problem["file"] for problem in found["problems"]] == ["strategies/more.yaml"]
    assert "btc at strategies/btc.yaml:3:15" in found["problems"][0]["what"]


def test_a_commit_is_judged_by_its_own_files_and_the_policy_of_today(desk: Desk) -> None:
    desk.write("more")
    desk.commit()
    desk.policy(EXCLUSIVE)
    desk.write("more", pair="SOL-USDT")

    assert desk.run("validate").returncode == 0
    assert desk.run("validate", "--ref", "main").returncode == 5


def test_a_second_look_finds_what_the_first_found(desk: Desk) -> None:
    desk.policy(EXCLUSIVE)
    desk.write("more")
    first = desk.json("validate")

    assert desk.json("validate") == first
    desk.policy("")
    assert desk.run("validate").returncode == 0


def test_a_loss_is_a_warning_that_strict_makes_an_error(desk: Desk) -> None:
    desk.policy(NARROW)
    found = desk.json("validate")

    assert (found["exit_code"], found["errors"], found["warnings"]) == (0, 0, 2)
    assert found["problems"][0]["what"].startswith("bid_spread + ask_spread = 0.2 %, but two maker fees")
    assert desk.run("validate", "--strict").returncode == 5


def test_a_policy_that_could_never_apply_is_a_mistake_in_the_settings(desk: Desk) -> None:
    desk.policy("policy: {limits: [{field: config.order_amout, max: 1}]}\n")

    for command in (("validate",), ("plan",), ("apply", "--yes"), ("run",)):
        done = desk.run(*command)
        assert done.returncode == 1, command
        assert "policy.limits.0.field: no strategy type has a field order_amout" in done.stderr
        assert "did you mean config.order_amount?" in done.stderr


# -- plan, apply, run


def test_plan_and_apply_refuse_a_commit_that_breaks_a_rule(live_desk: Desk) -> None:
    desk = live_desk
    desk.policy(EXCLUSIVE)
    desk.write("more")
    desk.commit()

    with desk.agent():
        for command in (("plan",), ("apply", "--yes")):
            done = desk.run(*command)
            assert done.returncode == 5, done.stderr
            assert "strategies/more.yaml:3:15: trading_pair: BTC-USDT on binance" in done.stderr
            assert "error: 2 problems in strategy files" in done.stderr
        assert "running" not in desk.lives().values()


def test_under_skip_those_who_break_a_rule_are_left_alone_and_the_rest_goes_on(live_desk: Desk) -> None:
    desk = live_desk
    with desk.agent():
        desk.until(2, "plan")
        assert desk.run("apply", "--yes").returncode == 0
        desk.policy(EXCLUSIVE)
        desk.write("btc", spread="0.4%")
        desk.write("more")
        desk.write("sol", pair="SOL-USDT")
        desk.commit()

        done = desk.run("--set", "sync.on_invalid=skip", "apply", "--yes")
        lives = desk.lives()

    assert "trading_pair: BTC-USDT on binance" in done.stderr
    assert lives["btc"] == lives["eth"] == lives["sol"] == "running"
    assert lives.get("more") != "running"
    assert "config.bid_spread" not in done.stdout


def test_warnings_are_shown_beside_a_plan(live_desk: Desk) -> None:
    desk = live_desk
    desk.policy(NARROW)

    with desk.agent():
        desk.until(2, "plan")
        done = desk.run("plan")

    assert (
        "strategies/btc.yaml:6:15: warning: config.bid_spread: bid_spread + ask_spread = 0.2 %" in done.stderr
    )
    assert "btc" in done.stdout


def test_the_service_keeps_the_last_good_commit_and_says_what_is_wrong(live_desk: Desk) -> None:
    desk = live_desk
    desk.policy(EXCLUSIVE + "notifications: {channels: [telegram]}\n")

    with desk.agent(), desk.beside("run"):
        desk.until_running("btc", "eth")
        desk.write("more")
        desk.commit()
        time.sleep(0.5)  # the service sees the commit meanwhile, and must not act on it
        assert desk.run("plan").returncode == 5
        assert desk.lives().get("more") != "running"

        desk.write("more", pair="SOL-USDT")
        desk.commit()
        desk.until_running("btc", "eth", "more")


def test_a_wrong_policy_is_not_loaded_while_the_service_runs(live_desk: Desk) -> None:
    desk = live_desk
    settings = desk.folder / "reconciler.yaml"
    (desk.folder / "look.yaml").write_text(settings.read_text())

    with desk.agent(), desk.beside("run") as service:
        desk.until_running("btc", "eth", config="look.yaml")
        desk.policy("policy: {limits: [{field: config.order_amout, max: 1}]}\n")
        service.send_signal(signal.SIGHUP)
        desk.write("sol", pair="SOL-USDT")
        desk.commit()
        desk.until_running("btc", "eth", "sol", config="look.yaml")

        assert service.poll() is None
