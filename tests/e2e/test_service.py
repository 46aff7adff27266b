"""`reconciler run` as a process of its own, with a broker, an agent and a repository: it follows, heals, leaves."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Mosquitto, set_password

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 30.0

SETTINGS = """\
source: {{repository: ., ref: main, interval: {interval}}}
broker: {{url: '{url}'}}
targets: {{default: {{basic_window: {window}}}}}
sync: {{interval: 60s, max_deletes: 0, min_fleet: 100}}
"""


class Fleet:
    """A repository with this project's own strategies, and the processes that follow it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self._stack = contextlib.ExitStack()
        shutil.copytree(ROOT / "strategies", folder / "strategies")
        self.write_settings()
        (folder / ".gitignore").write_text(".reconciler/\n")
        self.git("init", "-q", "-b", "main")
        self.commit("start")

    def write_settings(self, interval: str = "60s", window: str = "2s", **replace: str) -> None:
        text = SETTINGS.format(interval=interval, url=self.url, window=window)
        for old, new in replace.items():
            text = text.replace(f"{old}: 0", f"{old}: {new}")
        (self.folder / "reconciler.yaml").write_text(text)

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30
        )

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def edit(self, name: str, old: str, new: str) -> None:
        file = self.folder / "strategies" / f"{name}.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        log = (self.folder.parent / f"{arguments[0]}.log").open("a")
        command = [sys.executable, "-m", "reconciler", *arguments]
        child = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, text=True)
        self._stack.callback(log.close)
        self._stack.callback(child.wait, 20)
        self._stack.callback(child.terminate)
        return child

    def agent(self) -> subprocess.Popen[str]:
        state = str(self.folder.parent / "agent")
        return self.start("agent", "--broker", self.url, "--state-dir", state, "--start-delay", "0.1")

    def log(self, name: str) -> str:
        return (self.folder.parent / f"{name}.log").read_text()

    def status(self) -> dict[str, dict[str, Any]]:
        """What `reconciler status` says of each strategy; empty while it cannot say."""
        command = [sys.executable, "-m", "reconciler", "status", "-o", "json"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        try:
            return {row["name"]: row for row in json.loads(done.stdout)["strategies"]}
        except (ValueError, KeyError):
            return {}

    def states(self) -> dict[str, str]:
        return {name: str(row["live"]) for name, row in self.status().items()}

    def close(self) -> None:
        self._stack.close()


def eventually(claim: Callable[[], bool], fleet: Fleet) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time; the service says:\n{fleet.log('run')[-3000:]}")
        time.sleep(0.1)


@pytest.fixture
def fleet(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Fleet]:
    (tmp_path / "repository").mkdir()
    fleet = Fleet(tmp_path / "repository", mosquitto.url)
    yield fleet
    fleet.close()


def wishes(fleet: Fleet) -> dict[str, str]:
    found = {}
    for file in (fleet.folder / "strategies").glob("[!_.]*.yaml"):
        state = [line.split()[1] for line in file.read_text().splitlines() if line.startswith("state:")]
        found[file.stem] = (state or ["running"])[0]
    return found


def test_commit_and_the_agent_follows(fleet: Fleet) -> None:
    fleet.agent()
    service = fleet.start("run")
    eventually(lambda: fleet.states() == wishes(fleet), fleet)
    name = next(name for name, wish in wishes(fleet).items() if wish == "running")

    fleet.edit(name, "strategy_type:", "wave: 1\nstate: paused\nstrategy_type:")
    fleet.commit("pause one")
    eventually(lambda: fleet.states()[name] == "paused", fleet)

    service.send_signal(signal.SIGTERM)
    assert service.wait(15) == 0
    assert "Traceback" not in fleet.log("run")


def test_a_bot_stopped_by_hand_is_started_again(fleet: Fleet, mosquitto: Mosquitto) -> None:
    from paho.mqtt import publish

    fleet.agent()
    fleet.start("run")
    eventually(lambda: fleet.states() == wishes(fleet), fleet)
    name = next(name for name, wish in wishes(fleet).items() if wish == "running")

    payload = json.dumps({"strategy_name": name})
    publish.single("hummingbot/strategy/stop", payload, qos=1, hostname=mosquitto.host, port=mosquitto.port)

    eventually(lambda: f"{name} started: live state differs from Git" in fleet.log("run"), fleet)
    eventually(lambda: fleet.states()[name] == "running", fleet)


def test_an_invalid_commit_changes_nothing_and_says_where(fleet: Fleet) -> None:
    fleet.agent()
    fleet.start("run")
    eventually(lambda: fleet.states() == wishes(fleet), fleet)
    before = fleet.states()
    name = next(iter(before))

    fleet.edit(name, "strategy_type:", "stat: x\nstrategy_type:")
    fleet.commit("a mistake")

    eventually(lambda: "is not applied" in fleet.log("run"), fleet)
    assert f"strategies/{name}.yaml:" in fleet.log("run")
    fleet.git("revert", "--no-edit", "HEAD")
    eventually(lambda: fleet.states() == before, fleet)


def test_a_brake_holds_a_delete_until_settings_are_reloaded(fleet: Fleet) -> None:
    fleet.agent()
    service = fleet.start("run")
    eventually(lambda: fleet.states() == wishes(fleet), fleet)
    name = next(iter(wishes(fleet)))

    (fleet.folder / "strategies" / f"{name}.yaml").unlink()
    fleet.commit("retire one")
    eventually(lambda: "reconciler apply --max-deletes 1" in fleet.log("run"), fleet)
    assert name in fleet.states()

    fleet.write_settings(max_deletes="1")
    service.send_signal(signal.SIGHUP)
    eventually(lambda: name not in fleet.states(), fleet)


def test_a_pass_waits_for_another_process_that_applies(fleet: Fleet) -> None:
    from reconciler.store.sqlite import open_store

    fleet.agent()
    fleet.start("run")
    eventually(lambda: fleet.states() == wishes(fleet), fleet)
    name = next(name for name, wish in wishes(fleet).items() if wish == "running")

    store = open_store(str(fleet.folder / ".reconciler" / "state.db"))
    with store.applying(10.0):
        fleet.edit(name, "strategy_type:", "state: stopped\nstrategy_type:")
        fleet.commit("stop one")
        time.sleep(2.0)
        assert fleet.states()[name] == "running"
    store.close()

    eventually(lambda: fleet.states()[name] == "stopped", fleet)


def test_it_waits_for_a_broker_that_is_not_there_yet(fleet: Fleet, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    fleet.start("run")
    eventually(lambda: "next try in" in fleet.log("run"), fleet)

    mosquitto.start()
    fleet.agent()

    eventually(lambda: fleet.states() == wishes(fleet), fleet)


def test_a_password_that_is_rotated_needs_no_restart(
    mosquitto_factory: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    set_password(passwords, "desk", "old")
    secret.write_text("old\n")
    broker = mosquitto_factory(
        f"listener {{port}} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}"
    )
    (tmp_path / "repository").mkdir()
    fleet = Fleet(tmp_path / "repository", broker.url)
    settings = fleet.folder / "reconciler.yaml"
    login = f"broker: {{username: desk, password: '${{file:{secret}}}', "
    settings.write_text(settings.read_text().replace("broker: {", login))
    with contextlib.closing(fleet):
        fleet.agent()
        fleet.start("run")
        eventually(lambda: fleet.states() == wishes(fleet), fleet)

        broker.stop()
        set_password(passwords, "desk", "new")
        broker.start()
        for name in ("run", "agent"):
            eventually(lambda name=name: "Not authorized" in fleet.log(name), fleet)  # type: ignore[misc]
        secret.write_text("new\n")

        eventually(lambda: "Broker is back" in fleet.log("run"), fleet)
        eventually(lambda: fleet.states() == wishes(fleet), fleet)
        away = [line for line in fleet.log("run").splitlines() if "Broker still away: " in line]
        assert sum("Not authorized" in line for line in away) == 1


def test_a_killed_service_goes_on_where_it_was(fleet: Fleet) -> None:
    fleet.agent()
    service = fleet.start("run")
    eventually(lambda: "started" in fleet.log("run"), fleet)
    service.kill()
    service.wait(10)

    fleet.start("run")

    eventually(lambda: fleet.states() == wishes(fleet), fleet)


def test_it_leaves_at_once_while_it_waits_for_bots(fleet: Fleet) -> None:
    fleet.write_settings(window="60s")
    service = fleet.start("run")
    eventually(lambda: "connected to" in fleet.log("run"), fleet)

    service.send_signal(signal.SIGTERM)

    assert service.wait(10) == 0
