"""
One connection to the broker for all bots of an agent: questions out, answers and news in (hummingbot.md, MQTT bridge).

Rule 1: each question has a reply topic of its own, since answers say not what they answer.
Rule 2: a question without an answer in time is Unanswered, never yes or no.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from reconciler.agent.hummingbot.health import BotStatus
from reconciler.errors import BrokerError
from reconciler.transport.base import Message, Publish, Transport

_NEWS = ("hb", "status_updates", "events", "log", "performance")
"""What bots tell by themselves. We listen to nothing that they are asked: the broker then says when nobody does."""

_GOOD = 200
_NO_STRATEGY = "no strategy is currently running"
_NOT_READY = "not ready"
"""What status says (hummingbot/remote_iface/mqtt.py, and each strategy's format_status)."""


ANSWER_S = 10.0
"""A bot that runs answers within milliseconds; one that starts may be busy for seconds."""

WORK_S = 40.0
"""A bot gives its own commands 30 s (hummingbot/remote_iface/mqtt.py, MQTTCommands)."""


class Unanswered(Exception):
    """A bot did not answer in time, could not be asked, or refused; the message says which."""


class BotListener(Protocol):
    """Who hears what a bot tells by itself. Called in the loop's thread; quick, never raises."""

    def on_alive(self) -> None:
        """A sign of life."""

    def on_log(self, level: str, logger: str, message: str) -> None:
        """A log record of this moment."""

    def on_report(self, report: Mapping[str, Any]) -> None:
        """A report of its controllers' performance."""


class Bridge(Protocol):
    """The line to one bot. Everything that asks raises Unanswered when it has no good answer."""

    async def status(self) -> BotStatus:
        """How it is; never SILENT."""

    async def begin(self) -> None:
        """Load the strategy from its file and start it."""

    async def halt(self) -> None:
        """Cancel its orders and stop the strategy; the process stays up."""

    async def configure(self, fields: Mapping[str, Any]) -> None:
        """Set fields of a v1 strategy that runs."""

    async def config(self) -> Mapping[str, Any]:
        """The config that its strategy runs with, in Hummingbot's own form."""

    def close(self) -> None:
        """Hear and ask no more."""


class BridgeClient:
    """All bots' lines. `namespace`: first level of their topics."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace
        self._replies = f"{namespace}/reply/{secrets.token_hex(6)}"
        self._asked = 0
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ears: dict[str, BotListener] = {}

    @property
    def line(self) -> bool:
        """Whether our own connection stands."""
        return self._transport.connected

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerError: out of reach.
        """
        self._transport.on_message(self._on_message)
        await self._transport.connect()
        news = [f"{self._namespace}/+/{kind}" for kind in _NEWS]
        await self._transport.subscribe([f"{self._replies}/+", *news])

    async def close(self) -> None:
        """Disconnect; who waits for an answer gets none."""
        for waiting in self._waiting.values():
            waiting.cancel()
        await self._transport.close()

    def connect(self, instance: str, name: str, ear: BotListener) -> MqttBridge:
        """Listen to a bot. `instance`: its id on the broker; `name`: of its strategy's file."""
        self._ears[instance] = ear
        return MqttBridge(self, instance, name)

    def disconnect(self, instance: str) -> None:
        """Listen to it no more."""
        self._ears.pop(instance, None)

    async def call(
        self, instance: str, command: str, data: Mapping[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Ask a bot; its answer's data.

        Raises:
            Unanswered: no answer in time, or no connection.
        """
        self._asked += 1
        reply_to = f"{self._replies}/{self._asked}"
        waiting = self._waiting[reply_to] = asyncio.get_running_loop().create_future()
        question = orjson.dumps({"header": {"reply_to": reply_to}, "data": data}, default=str)
        try:
            async with asyncio.timeout(timeout_s):
                topic = f"{self._namespace}/{instance}/{command}"
                sent = await self._transport.publish(Publish(topic, question), timeout_s=timeout_s)
                if sent.no_subscribers:
                    raise Unanswered(f"{command}: the bot is not connected to the broker")
                answer: dict[str, Any] = await waiting
                return answer
        except BrokerError as error:
            raise Unanswered(f"{command}: {error}") from error
        except TimeoutError:
            raise Unanswered(f"{command}: no answer within {timeout_s:g} s") from None
        finally:
            del self._waiting[reply_to]

    def _on_message(self, message: Message) -> None:
        try:
            body = json.loads(message.payload)  # takes the bare NaN that bots write, which orjson does not
        except (ValueError, RecursionError):
            return
        if not isinstance(body, dict):
            return
        waiting = self._waiting.get(message.topic)
        if waiting is not None and not waiting.done():
            data = body.get("data")
            waiting.set_result(data if isinstance(data, dict) else {})
            return
        namespace, _, rest = message.topic.partition(f"{self._namespace}/")
        instance, _, kind = rest.rpartition("/")
        ear = self._ears.get(instance) if not namespace else None
        if ear is not None:
            _hear(ear, kind, body)


def _hear(ear: BotListener, kind: str, body: Mapping[str, Any]) -> None:
    match kind:
        case "status_updates" if body.get("msg") == "offline":
            return  # its will, or its farewell: whether its process ended is seen at the process
        case "hb" | "status_updates" | "events":
            ear.on_alive()
        case "performance":
            ear.on_report(body)
        case "log":
            ear.on_log(
                str(body.get("level_name", "INFO")),
                str(body.get("logger_name", "")),
                str(body.get("msg", "")),
            )


class MqttBridge:
    """The line to one bot. `name`: of its strategy's file, without the ending."""

    def __init__(self, board: BridgeClient, instance: str, name: str) -> None:
        self._board = board
        self._instance = instance
        self._name = name

    def close(self) -> None:
        self._board.disconnect(self._instance)

    async def status(self) -> BotStatus:
        answer = await self._ask("status", {"async_backend": False}, ANSWER_S)
        text = str(answer.get("msg", "")).casefold()
        if answer.get("status") == _GOOD:
            return BotStatus.NOT_READY if _NOT_READY in text else BotStatus.RUNS
        if _NO_STRATEGY in text:
            return BotStatus.NO_STRATEGY
        raise Unanswered(f"status: {answer.get('msg')}")

    async def begin(self) -> None:
        await self._done("import", {"strategy": self._name}, WORK_S)
        await self._done("start", {"async_backend": False}, WORK_S)

    async def halt(self) -> None:
        await self._done("stop", {"async_backend": False, "skip_order_cancellation": False}, WORK_S)

    async def configure(self, fields: Mapping[str, Any]) -> None:
        await self._done("config", {"params": [[name, value] for name, value in fields.items()]}, ANSWER_S)

    async def config(self) -> Mapping[str, Any]:
        answer = await self._done("config", {"params": []}, ANSWER_S)
        strategy = (answer.get("config") or {}).get("strategy")
        return strategy if isinstance(strategy, dict) else {}

    async def _done(self, command: str, data: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        answer = await self._ask(command, data, timeout_s)
        if answer.get("status") != _GOOD:
            raise Unanswered(f"{command}: {answer.get('msg')}")
        return answer

    async def _ask(self, command: str, data: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        return await self._board.call(self._instance, command, data, timeout_s)
