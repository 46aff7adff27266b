"""The command line as people and machines use it: the real command, a real broker, a real agent."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.catalog.loading import HUMMINGBOT_VERSION
from tests.support.brokers import Mosquitto
from tests.support.cli_project import COMMAND, LIMIT_S, Project, clean_environment

ANSI = re.compile(r"\x1b\[\d")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def project(broker: Mosquitto, tmp_path: Path) -> Project:
    project = Project(tmp_path, broker.url, f"test-{time.monotonic_ns()}")
    project.write("btc-maker")
    project.write("eth-maker", pair="ETH-USDT", state="stopped")
    project.commit()
    return project


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


def first_line_of(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    """Run it into a reader that leaves after the first line."""
    return subprocess.run(
        f"{COMMAND[0]} -m reconciler {command} | head -1",
        shell=True,
        cwd=project.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_a_reader_that_leaves_early_is_no_error_message(project: Project) -> None:
    done = first_line_of(project, "config show")

    assert done.stdout.startswith("hummingbot_version")
    assert done.stderr == ""


def test_a_reader_that_leaves_early_ends_what_follows_the_bots(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
        done = first_line_of(project, "logs -f")

    assert "btc-maker" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [("config", "show"), ("validate", "-o", "json"), ("schema", "list")])
def test_a_result_that_cannot_be_written_is_an_error(project: Project, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=project.folder,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    assert done.returncode == 1
    assert "error: the output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_crash(project: Project) -> None:
    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line.replace("reconciler", f"{COMMAND[0]} -m reconciler"),
            shell=True,
            cwd=project.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    silent, unasked = shell("reconciler plan --wait 0 >&-"), shell("reconciler apply --wait 0 <&-")

    assert "Traceback" not in silent.stderr + unasked.stderr
    assert silent.returncode == 4
    assert unasked.returncode == 1
    assert "nobody can be asked" in unasked.stderr


def test_logs_says_that_nothing_was_logged(project: Project) -> None:
    done = project.run("logs", "--for", "0")

    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing was logged within 0 s" in done.stderr


def test_no_name_of_a_file_reaches_the_terminal_as_a_command(project: Project) -> None:
    (project.folder / "strategies" / "a\x1b[2Jb.yaml").write_text("no strategy\n")
    project.commit()

    done = project.run("plan", "--wait", "0")

    assert done.returncode == 5
    assert r"a\x1b[2Jb.yaml:1:1" in done.stderr
    assert "\x1b" not in done.stderr


def test_completion_knows_our_commands(project: Project) -> None:
    completed = project.run(_RECONCILER_COMPLETE="bash_complete", COMP_WORDS="reconciler pl", COMP_CWORD="1")

    assert "plan" in completed.stdout
    assert (
        project.run("completion", "bash").stdout == 'eval "$(_RECONCILER_COMPLETE=bash_source reconciler)"\n'
    )


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


def test_apply_tells_what_became_of_each_strategy_when_one_fails(project: Project) -> None:
    greedy = project.write("greedy")
    greedy.write_text(greedy.read_text() + "  order_levels: 2\n")
    project.commit()
    with project.agent("--fault", "refuse=order_levels"):
        project.until(2, "plan")
        report = project.json("apply", "--yes")
        outcomes = {result["name"]: result["outcome"] for result in report["results"]}

        assert report["exit_code"] == 1
        assert outcomes == {"btc-maker": "confirmed", "eth-maker": "confirmed", "greedy": "failed"}


def test_apply_that_is_interrupted_finishes_its_step_and_skips_the_rest(project: Project) -> None:
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
        while "starting" not in project.run("status", "--quick").stdout:
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


def test_the_service_follows_commits_and_leaves_when_told(project: Project) -> None:
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
