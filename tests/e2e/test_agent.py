"""An agent process and the kind of client that the given API has: paho at MQTT 3.1.1, no `meta`."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from reconciler.protocol.canonical import inventory_digest
from tests.support.brokers import Mosquitto

PROGRAM = Path(__file__).parents[1] / "support" / "agent_process.py"
PATIENCE_S = 30.0

CREATE: dict[str, Any] = {
    "strategy_name": "mm",
    "strategy_type": "pure_market_making",
    "exchange": "binance",
    "trading_pair": "BTC-USDT",
    "config": {"bid_spread": 0.1, "ask_spread": 0.1, "order_amount": 0.01, "order_refresh_time": 30},
}

Starter = Callable[..., "AgentProcess"]


class AgentProcess:
    """An agent that was started; `settings` as AgentSettings has them, in JSON."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(settings)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROGRAM.parents[2],
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)

    def terminate(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> str:
        """Wait for its end; what it said on stderr."""
        return self.process.communicate(timeout=PATIENCE_S)[1]


class Watcher:
    """A client that receives everything under the root and sends commands without `meta`."""

    def __init__(self, port: int) -> None:
        self.retained: dict[str, Any] = {}
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.plain_statuses: list[dict[str, Any]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe("hummingbot/#", 1)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        body: Any = json.loads(message.payload) if message.payload else None
        if message.topic == "hummingbot/response":
            self.answers.put(body)
        elif message.topic == "hummingbot/status":
            self.plain_statuses.append(body)
        else:
            self.retained[message.topic] = body

    def ask(self, op: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a command and return its answer."""
        self.send(op, payload)
        return self.answers.get(timeout=PATIENCE_S)

    def send(self, op: str, payload: dict[str, Any] | None = None) -> None:
        body = payload or {"strategy_name": "mm"}
        self._client.publish(f"hummingbot/strategy/{op}", json.dumps(body), 1).wait_for_publish(PATIENCE_S)

    def status(self, name: str = "mm") -> dict[str, Any]:
        return self.retained.get(f"hummingbot/status/{name}") or {}

    def wait_for_state(self, state: str, name: str = "mm") -> None:
        self.wait(lambda: self.status(name).get("state") == state)

    def presence(self) -> dict[str, Any]:
        return self.retained.get("hummingbot/agent/agent") or {}

    def complete(self, *names: str) -> bool:
        """Whether the inventory in force says that there are `names` and no others."""
        inventory = self.retained.get("hummingbot/inventory/agent") or {}
        return (
            inventory.get("session") == self.presence().get("session")
            and inventory.get("count") == len(names)
            and inventory.get("digest") == inventory_digest(names)
        )

    def wait(self, seen: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not seen():
            assert time.monotonic() < deadline, (self.retained, list(self.answers.queue))
            time.sleep(0.01)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def watcher(mosquitto: Mosquitto) -> Iterator[Watcher]:
    watcher = Watcher(mosquitto.port)
    yield watcher
    watcher.close()


@pytest.fixture
def start(mosquitto: Mosquitto, watcher: Watcher, tmp_path: Path) -> Iterator[Starter]:
    """Starts agents on one state folder, and waits until each has announced itself."""
    started: list[AgentProcess] = []

    def starter(*, wait: bool = True, **settings: Any) -> AgentProcess:
        before = watcher.presence().get("session")
        chosen = {
            "broker": {"url": f"mqtt://127.0.0.1:{mosquitto.port}"},
            "state_dir": str(tmp_path / "agent"),
            "start_delay_s": 0.05,
            "heartbeat_s": 1.0,
            **settings,
        }
        started.append(AgentProcess(chosen))
        if wait:
            watcher.wait(lambda: watcher.presence().get("session") not in {None, before})
            watcher.wait(lambda: watcher.presence()["state"] == "online")
        return started[-1]

    yield starter
    for agent in started:
        if agent.process.poll() is None:
            agent.kill()


def success(message: str, strategy_id: str) -> dict[str, Any]:
    """The given shape of a success, key for key."""
    data = {"strategy_name": "mm", "strategy_id": strategy_id}
    return {"status": "success", "message": message, "data": data}


def test_a_basic_client_drives_a_strategy_through_its_life(start: Starter, watcher: Watcher) -> None:
    start()

    created = watcher.ask("create", CREATE)
    strategy_id = created["data"]["strategy_id"]
    assert created == success("Strategy created successfully", strategy_id)
    for op, said, state in (
        ("start", "started", "running"),
        ("pause", "paused", "paused"),
        ("resume", "resumed", "running"),
        ("stop", "stopped", "stopped"),
    ):
        assert watcher.ask(op) == success(f"Strategy {said} successfully", strategy_id)
        watcher.wait_for_state(state)
    assert watcher.ask("delete") == success("Strategy deleted successfully", strategy_id)
    watcher.wait(lambda: "hummingbot/status/mm" in watcher.retained and not watcher.status())
    watcher.wait(watcher.complete)


def test_refusals_have_the_given_shape(start: Starter, watcher: Watcher) -> None:
    start()
    wrong = {**CREATE, "config": {**CREATE["config"], "order_amount": 0}}

    answer = watcher.ask("create", wrong)

    assert list(answer) == ["status", "message", "error_code", "details"]
    assert answer["status"] == "error"
    assert answer["message"] == "Invalid strategy configuration"
    assert answer["error_code"] == "INVALID_CONFIG"
    assert list(answer["details"]) == ["field", "reason"]
    assert answer["details"]["field"] == "order_amount"


def test_the_states_of_a_start_are_published_one_by_one_for_peers_that_know_no_names(
    start: Starter, watcher: Watcher
) -> None:
    start()
    watcher.ask("create", CREATE)
    watcher.ask("start")

    watcher.wait(lambda: len(watcher.plain_statuses) >= 3)

    assert [status["state"] for status in watcher.plain_statuses] == ["stopped", "starting", "running"]
    assert [status["seq"] for status in watcher.plain_statuses] == sorted(
        status["seq"] for status in watcher.plain_statuses
    )


def test_a_running_strategy_publishes_its_performance_and_logs(start: Starter, watcher: Watcher) -> None:
    start(performance_interval_s=0.1)
    watcher.ask("create", CREATE)
    watcher.ask("start")

    watcher.wait(lambda: "hummingbot/performance" in watcher.retained)
    watcher.wait(lambda: "hummingbot/logs" in watcher.retained)

    assert watcher.retained["hummingbot/performance"]["strategy_name"] == "mm"
    assert watcher.retained["hummingbot/logs"]["strategy_name"] == "mm"


def test_a_killed_agent_is_offline_and_the_next_one_brings_its_strategies_back(
    start: Starter, watcher: Watcher
) -> None:
    agent = start()
    watcher.ask("create", CREATE)
    watcher.ask("create", {**CREATE, "strategy_name": "idle"})
    watcher.ask("start")

    agent.kill()
    watcher.wait(lambda: watcher.presence()["state"] == "offline")
    watcher.retained.pop("hummingbot/status/mm")
    start()

    watcher.wait_for_state("running")
    watcher.wait(lambda: watcher.status("idle").get("session") == watcher.presence()["session"])
    assert watcher.status("idle")["state"] == "stopped"
    watcher.wait(lambda: watcher.complete("mm", "idle"))


def test_an_agent_killed_in_the_middle_of_a_start_comes_back_running_once(
    start: Starter, watcher: Watcher
) -> None:
    agent = start(start_delay_s=60.0)
    watcher.ask("create", CREATE)
    watcher.send("start")
    watcher.wait_for_state("starting")
    agent.kill()

    start()

    watcher.wait_for_state("running")
    assert watcher.ask("start")["error_code"] == "ALREADY_RUNNING"


def test_an_agent_that_is_stopped_publishes_offline_and_keeps_what_should_run(
    start: Starter, watcher: Watcher
) -> None:
    agent = start()
    watcher.ask("create", CREATE)
    watcher.ask("start")

    said = agent.terminate()

    assert (agent.process.returncode, said) == (0, "")
    watcher.wait(lambda: watcher.presence()["state"] == "offline")
    start()
    watcher.wait_for_state("running")


def test_a_second_agent_on_the_same_folder_is_refused(start: Starter, watcher: Watcher) -> None:
    first = start()

    second = start(wait=False, name="other")

    assert f"another agent (process {first.process.pid}) keeps its state there" in second.end()
    assert second.process.returncode == 1


def test_a_second_agent_under_the_same_root_is_refused(
    start: Starter, watcher: Watcher, tmp_path: Path
) -> None:
    start()

    second = start(wait=False, name="other", state_dir=str(tmp_path / "elsewhere"))

    assert "agent 'agent' serves hummingbot already" in second.end()


def test_everything_is_published_again_to_a_broker_that_comes_back_empty(
    start: Starter, watcher: Watcher, mosquitto: Mosquitto
) -> None:
    start()
    names = [f"s{number}" for number in range(50)]
    for name in names:
        watcher.ask("create", {**CREATE, "strategy_name": name})
    watcher.wait(lambda: watcher.complete(*names))

    mosquitto.stop()
    watcher.retained.clear()
    mosquitto.start()

    watcher.wait(lambda: watcher.complete(*names))
    watcher.wait(lambda: all(watcher.status(name) for name in names))


def test_statuses_that_nobody_owns_any_more_are_cleared(
    start: Starter, watcher: Watcher, tmp_path: Path
) -> None:
    agent = start()
    watcher.ask("create", CREATE)
    watcher.wait_for_state("stopped")
    agent.kill()

    start(state_dir=str(tmp_path / "fresh"))

    watcher.wait(lambda: not watcher.status())
    watcher.wait(watcher.complete)


def test_an_agent_wrongly_called_offline_publishes_its_presence(start: Starter, watcher: Watcher) -> None:
    start(heartbeat_s=60.0)
    presence = watcher.presence()

    watcher._client.publish(
        "hummingbot/agent/agent", json.dumps({**presence, "state": "offline"}), 1, retain=True
    )

    watcher.wait(lambda: watcher.presence()["seq"] > presence["seq"])
    assert watcher.presence()["state"] == "online"


def test_a_retained_command_is_left_alone(start: Starter, watcher: Watcher) -> None:
    watcher._client.publish(
        "hummingbot/strategy/create", json.dumps(CREATE), 1, retain=True
    ).wait_for_publish()
    start()

    answer = watcher.ask("start")

    assert answer["error_code"] == "NOT_FOUND"


def test_an_unreachable_broker_is_reported_and_ends_the_agent(start: Starter, mosquitto: Mosquitto) -> None:
    mosquitto.stop()

    agent = start(wait=False)

    assert "cannot reach the broker" in agent.end()
    assert agent.process.returncode == 1


def test_impossible_settings_are_reported(start: Starter) -> None:
    assert "cannot name an agent" in start(wait=False, name="a/b").end()
    assert "cannot be the root of topics" in start(wait=False, root="a/#").end()
