"""Clients of the kind people already have receive what our agent sends, and can command it: paho-mqtt 1.6 and npm's mqtt."""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Mosquitto
from tests.support.node_clients import node_folder

SCRIPTS = Path(__file__).parent / "foreign"
CACHE = Path(__file__).parent.parent / "node" / "node_modules" / ".paho-1.6"
"""Next to the Node packages: installed once, ignored by Git."""

pytestmark = pytest.mark.timeout(360)

Client = Callable[[int, str], list[str]]


def paho_1_6(port: int, name: str) -> list[str]:
    python = CACHE / "bin" / "python"
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with (CACHE.parent.parent / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "ready").exists():
            venv.create(CACHE, with_pip=True, clear=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "paho-mqtt>=1.6,<1.7"]
            subprocess.run(install, check=True, capture_output=True, timeout=300)
            (CACHE / "ready").touch()
    return [str(python), str(SCRIPTS / "listen_and_command.py"), str(port), name]


def npm_mqtt(port: int, name: str) -> list[str]:
    return ["node", str(SCRIPTS / "listen_and_command.mjs"), str(node_folder()), str(port), name]


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.fixture
def agent(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "reconciler", "agent", "--name", "sim", "--start-delay", "0.2"]
    with running(*command, "--broker", mosquitto.url, "--state-dir", str(tmp_path / "agent")):
        yield


def heard_until(child: subprocess.Popen[str], done: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    heard = []
    assert child.stdout is not None
    for line in child.stdout:
        heard.append(json.loads(line))
        if done(heard[-1]):
            return heard
    raise AssertionError(f"the client ended early; it heard {heard}")


def wait_for_agent(mosquitto: Mosquitto) -> None:
    from paho.mqtt import subscribe

    subscribe.simple("hummingbot/agent/sim", hostname=mosquitto.host, port=mosquitto.port)


@pytest.mark.parametrize("client", [paho_1_6, npm_mqtt])
def test_an_old_client_creates_and_starts_a_strategy_and_sees_how_it_goes(
    client: Client, mosquitto: Mosquitto, agent: None
) -> None:
    wait_for_agent(mosquitto)
    with running(*client(mosquitto.port, "mine")) as child:
        heard = heard_until(child, lambda said: said["body"].get("state") == "running")

    states = [said["body"]["state"] for said in heard if said["topic"] == "hummingbot/status"]
    answers = [said["body"] for said in heard if said["topic"] == "hummingbot/response"]
    assert list(dict.fromkeys(states)) == ["stopped", "starting", "running"]
    assert [list(answer) for answer in answers[:1]] == [["status", "message", "data"]]
    assert answers[0]["message"] == "Strategy created successfully"
    assert answers[0]["data"]["strategy_name"] == "mine"
