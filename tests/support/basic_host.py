"""
A host of bots that knows only the given API: no `meta`, MQTT 3.1.1, its own ideas of when to speak.

Written from the first section of the protocol alone; it shares no code with the reconciler or its agent.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

IDENTITY = ("strategy_type", "exchange", "trading_pair")


class BasicHost:
    """Carries out commands and remembers every payload. How it speaks is up to each test:

    `answers`: responses on hummingbot/response. `reports`: "each" status by itself, a "snapshot" of all, or
    "never". `names_itself` False: successes
    carry no `data`. `slow_s`: how long an answer takes; `most_unanswered` counts what came meanwhile.
    """

    def __init__(
        self,
        port: int,
        *,
        answers: bool = True,
        reports: str = "each",
        names_itself: bool = True,
        slow_s: float = 0.0,
    ) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.strategies: dict[str, dict[str, Any]] = {}
        self.starts: list[str] = []
        self.unanswered = 0
        self.most_unanswered = 0
        self._slow_s = slow_s
        self._answers = answers
        self._reports = reports
        self._names_itself = names_itself
        self._lock = threading.RLock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "basic-host", protocol=mqtt.MQTTv311)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("hummingbot/strategy/#", qos=1)
        self._client.connect("127.0.0.1", port, 60)
        self._client.loop_start()
        self._speaking = threading.Event()
        self._speaker = threading.Thread(target=self._speak, daemon=True)
        self._speaker.start()

    def close(self) -> None:
        self._speaking.set()
        self._speaker.join(5)
        self._client.disconnect()
        self._client.loop_stop()

    def add(self, name: str, state: str = "running", **fields: Any) -> None:
        """A strategy that was there before anybody asked."""
        with self._lock:
            self.strategies[name] = {
                "strategy_name": name,
                "state": state,
                "strategy_type": "pure_market_making",
                "exchange": "binance",
                "trading_pair": "BTC-USDT",
                "config": {},
                **fields,
            }

    def ops(self, name: str) -> list[str]:
        """The commands that came for a strategy, in order."""
        return [op for op, payload in self.received if payload.get("strategy_name") == name]

    def reports_all(self) -> bool:
        """Whether it says by itself what it has."""
        return self._reports != "never"

    # -- speaking

    def _speak(self) -> None:
        """Say how things are, again and again, as hosts do that retain nothing."""
        while not self._speaking.wait(0.1):
            self.report()

    def report(self) -> None:
        with self._lock:
            live = [dict(strategy) for strategy in self.strategies.values()]
        if self._reports == "snapshot":
            self._publish("hummingbot/status", {"strategies": live, "timestamp": time.time()})
        elif self._reports == "each":
            for strategy in live:
                self._publish("hummingbot/status", strategy)

    def _publish(self, topic: str, payload: dict[str, Any]) -> None:
        self._client.publish(topic, json.dumps(payload), qos=1)

    def _answer(self, name: str, error: str | None) -> None:
        with self._lock:
            self.unanswered -= 1
        if not self._answers:
            return
        if error is not None:
            self._publish("hummingbot/response", {"status": "error", "message": error, "error_code": error})
            return
        answer: dict[str, Any] = {"status": "success", "message": "Done"}
        if self._names_itself:
            answer["data"] = {"strategy_name": name, "strategy_id": "1"}
        self._publish("hummingbot/response", answer)

    # -- working

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        op = message.topic.removeprefix("hummingbot/strategy/")
        payload = json.loads(message.payload)
        with self._lock:
            self.received.append((op, payload))
            error = self._carry_out(op, payload)
            self.unanswered += 1
            self.most_unanswered = max(self.most_unanswered, self.unanswered)
        threading.Timer(self._slow_s, self._answer, (payload["strategy_name"], error)).start()
        if self._reports == "each" and payload["strategy_name"] in self.strategies:
            self._publish("hummingbot/status", dict(self.strategies[payload["strategy_name"]]))

    def _carry_out(self, op: str, payload: dict[str, Any]) -> str | None:
        name = payload["strategy_name"]
        strategy = self.strategies.get(name)
        if op == "create":
            if strategy is not None:
                return "ALREADY_EXISTS"
            self.add(name, "stopped", config=payload["config"], **{key: payload[key] for key in IDENTITY})
            return None
        if strategy is None:
            return "NOT_FOUND"
        if op == "delete":
            del self.strategies[name]
            return None
        if op == "update":
            strategy["config"] = strategy["config"] | payload["config"]
            return None
        return self._move(op, strategy)

    def _move(self, op: str, strategy: dict[str, Any]) -> str | None:
        moves = {
            ("start", "stopped"): "running",
            ("stop", "running"): "stopped",
            ("stop", "paused"): "stopped",
            ("stop", "error"): "stopped",
            ("pause", "running"): "paused",
            ("resume", "paused"): "running",
        }
        state = moves.get((op, strategy["state"]))
        if state is None:
            return "INVALID_STATE"
        if op == "start":
            self.starts.append(strategy["strategy_name"])
        strategy["state"] = state
        return None
