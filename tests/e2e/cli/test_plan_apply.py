"""Plan and apply as people and machines use them: the real command, a real broker, a real agent."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess

from paho.mqtt import subscribe

from tests.support.brokers import Mosquitto
from tests.support.cli_project import COMMAND, LIMIT_S, Project, clean_environment

ANSI = re.compile(r"\x1b\[\d")


# -- plan and apply


def test_from_a_commit_to_running_bots_and_back_to_nothing_to_do(project: Project) -> None:
    with project.agent():
        pending = project.until(2, "plan")
        applied = project.run("apply", "--yes")
        again = project.run("apply", "--yes")

        assert "+ btc-maker" in pending
        assert applied.returncode == 0
        assert "✓ btc-maker" in applied.stdout
        assert again.returncode == 0
        assert "nothing to do" in again.stdout
        assert project.json("plan")["summary"]["unchanged"] == 2


def test_apply_asks_nobody_without_a_terminal(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        done = project.run("apply")

        assert done.returncode == 1
        assert "reconciler apply --yes" in done.stderr
        assert project.run("plan").returncode == 2


def test_at_a_terminal_no_is_the_default_and_yes_acts(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        refused, screen = project.at_terminal("apply", answers="\n")
        pending = project.run("plan").returncode
        accepted, _ = project.at_terminal("apply", answers="y\n")

        assert refused == 1
        assert "Apply this? [y/N]" in screen
        assert pending == 2
        assert accepted == 0
        assert project.run("plan").returncode == 0


def test_colour_is_for_terminals_that_want_it(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        _, coloured = project.at_terminal("plan")
        _, plain = project.at_terminal("plan", NO_COLOR="1")
        piped = project.run("plan").stdout

        assert ANSI.search(coloured)
        assert not ANSI.search(plain)
        assert not ANSI.search(piped)


def test_a_saved_plan_is_carried_out_as_it_was_shown(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("plan", "--out", "p.json")
        done = project.run("apply", "p.json", "--yes")

        assert done.returncode == 0, done.stderr
        assert project.run("plan").returncode == 0


def test_a_saved_plan_whose_commit_or_bots_have_moved_is_refused(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("plan", "--out", "p.json")
        project.run("apply", "--yes")
        bots_moved = project.run("apply", "p.json", "--yes")
        project.commit("another")
        commit_moved = project.run("apply", "p.json", "--yes")

        assert bots_moved.returncode == 3
        assert "btc-maker" in bots_moved.stderr
        assert commit_moved.returncode == 3
        assert "commit" in commit_moved.stderr


def test_a_brake_refuses_and_the_command_that_it_names_goes_on(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
        project.git("rm", "-q", "strategies/btc-maker.yaml")
        project.commit()
        plan = project.run("--set", "sync.max_deletes=0", "plan")
        done = project.run("--set", "sync.max_deletes=0", "apply", "--yes")
        named = shlex.split(done.stderr.strip().rpartition("If this is meant: reconciler ")[2])

        assert (plan.returncode, done.returncode) == (3, 3)
        assert "sync.max_deletes = 0" in done.stderr
        assert named == ["--set", "sync.max_deletes=0", "apply", "--yes", "--max-deletes", "1"]
        assert project.run(*named).returncode == 0


def test_the_command_that_a_brake_names_asks_for_the_same_again_without_secrets(project: Project) -> None:
    for number in range(4):
        project.write(f"extra-{number}", state="stopped")
    project.commit()
    project.git("branch", "smaller")
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
        project.git("switch", "-q", "smaller")
        project.git("rm", "-q", *(f"strategies/extra-{number}.yaml" for number in range(4)))
        project.commit()
        project.git("switch", "-q", "main")

        login = ("--set", "broker.username=me", "--set", "broker.password=hunter2")
        refused = project.run(*login, "plan", "--ref", "smaller")
        told = project.json("plan", "--ref", "smaller")["refused"]
        again = shlex.split(told.rpartition("If this is meant: reconciler ")[2])
        done = project.run(*again, "--yes")

    assert refused.returncode == 3
    assert (
        "--set broker.username=me --set 'broker.password=***' apply --ref smaller --max-deletes 4"
        in refused.stderr
    )
    assert again == ["apply", "--ref", "smaller", "--max-deletes", "4"]
    assert (done.returncode, "4 confirmed" in done.stdout) == (0, True)


def test_apply_reports_what_became_of_each_strategy_when_one_fails(project: Project) -> None:
    greedy = project.write("greedy")
    greedy.write_text(greedy.read_text() + "  order_levels: 2\n")
    project.commit()
    with project.agent("--fault", "refuse=order_levels"):
        project.until(2, "plan")
        report = project.json("apply", "--yes")
        outcomes = {result["name"]: result["outcome"] for result in report["results"]}

        assert report["exit_code"] == 1
        assert outcomes == {"btc-maker": "confirmed", "eth-maker": "confirmed", "greedy": "failed"}


def status_on_the_wire(broker: Mosquitto, project: Project, name: str) -> str:
    """The state that an agent last reported; a command of our own would take longer than some states last."""
    said = subscribe.simple(f"{project.root}/status/{name}", hostname=broker.host, port=broker.port)
    return str(json.loads(said.payload)["state"])


def test_apply_that_is_interrupted_finishes_its_step_and_skips_the_rest(
    project: Project, broker: Mosquitto
) -> None:
    project.write("btc-maker", state="paused")
    project.commit()
    with project.agent("--start-delay", "3"):
        project.until(2, "plan")
        apply = subprocess.Popen(
            [*COMMAND, "apply", "--yes", "-o", "json"],
            cwd=project.folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        while status_on_the_wire(broker, project, "btc-maker") != "starting":
            assert apply.poll() is None
        apply.send_signal(signal.SIGINT)
        output, _ = apply.communicate(timeout=LIMIT_S)
        report = json.loads(output)
        steps = {
            result["name"]: [step["outcome"] for step in result["steps"]] for result in report["results"]
        }

        assert steps["btc-maker"] == ["confirmed", "confirmed", "skipped"]
        assert (apply.returncode, report["exit_code"]) == (1, 1)


def test_bots_that_cannot_be_seen_are_unknown_and_left_alone(project: Project) -> None:
    with project.agent() as agent:
        project.until(2, "plan")
        project.run("apply", "--yes")
        agent.send_signal(signal.SIGKILL)
        agent.wait(LIMIT_S)
    project.write("btc-maker", spread="0.2%")
    project.commit()

    plan = project.json("plan", "--wait", "3")

    assert plan["exit_code"] == 4
    assert {change["action"] for change in plan["changes"]} == {"unknown"}
    assert project.run("apply", "--yes", "--wait", "1").returncode == 4
