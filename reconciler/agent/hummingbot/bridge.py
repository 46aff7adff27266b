"""
The MQTT bridge of Hummingbot: commands to all bots of an agent over one connection, and what bots publish by themselves
(docs/hummingbot.md, MQTT bridge).

Rule 1: each request has a reply topic of its own, since a reply does not say which request it belongs to.
Rule 2: a request without a reply in time is Unanswered: neither success nor failure is known.
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

REPLY_S = 10.0
"""For a reply. A running bot replies within milliseconds; one that starts may be busy for seconds."""

COMMAND_S = 40.0
"""For a reply to a command that does work: a bot gives its own commands 30 s (hummingbot/remote_iface/mqtt.py, MQTTCommands)."""

_PUBLISHED = ("hb", "status_updates", "events", "log", "performance")
"""Topics that bots publish by themselves. Command topics are not subscribed: the broker then reports a bot's absence."""

_OK = 200
_NO_STRATEGY = "no strategy is currently running"
_NOT_READY = "not ready"
"""What `status` replies (hummingbot/remote_iface/mqtt.py, and each strategy's format_status)."""


class Unanswered(Exception):
    """A bot did not reply in time, could not be reached, or refused; the message says which."""


class BotListener(Protocol):
    """Is called with what a bot publishes by itself, in the loop's thread; returns at once, never raises."""

    def on_alive(self) -> None:
        """Any sign of life."""

    def on_log(self, level: str, logger: str, message: str) -> None:
        """A log record of this moment."""

    def on_report(self, report: Mapping[str, Any]) -> None:
        """A report of its controllers' performance."""


class Bridge(Protocol):
    """The connection to one bot. Every request raises Unanswered unless the bot reports success."""

    async def status(self) -> BotStatus:
        """Return its status; never SILENT."""

    async def start(self) -> None:
        """Load the strategy from its file and start it."""

    async def halt(self) -> None:
        """Cancel its orders and stop the strategy; the process stays up."""

    async def configure(self, fields: Mapping[str, Any]) -> None:
        """Set fields of a running v1 strategy."""

    async def config(self) -> Mapping[str, Any]:
        """Return the config that its strategy runs with, in Hummingbot's own form."""

    def close(self) -> None:
        """Stop listening to it."""


class BridgeClient:
    """The bridges of all bots. `namespace`: first level of their topics."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace
        self._reply_root = f"{namespace}/reply/{secrets.token_hex(6)}"
        self._requests = 0
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, BotListener] = {}

    @property
    def connected(self) -> bool:
        """Whether the connection to the broker stands."""
        return self._transport.connected

    async def open(self) -> None:
        """Connect and subscribe.

        Raises:
            BrokerError: the broker is out of reach.
        """
        self._transport.on_message(self._on_message)
        await self._transport.connect()
        published = [f"{self._namespace}/+/{kind}" for kind in _PUBLISHED]
        await self._transport.subscribe([f"{self._reply_root}/+", *published])

    async def close(self) -> None:
        """Disconnect; pending requests are cancelled."""
        for pending in self._pending.values():
            pending.cancel()
        await self._transport.close()

    def connect(self, instance: str, name: str, listener: BotListener) -> MqttBridge:
        """Listen to a bot. `instance`: its id on the broker; `name`: of its strategy's file."""
        self._listeners[instance] = listener
        return MqttBridge(self, instance, name)

    def disconnect(self, instance: str) -> None:
        """Stop listening to a bot."""
        self._listeners.pop(instance, None)

    async def request(
        self, instance: str, command: str, data: Mapping[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Send a command to a bot and return the data of its reply, whatever its status.

        Raises:
            Unanswered: no reply in time, or no connection.
        """
        self._requests += 1
        reply_to = f"{self._reply_root}/{self._requests}"
        pending = self._pending[reply_to] = asyncio.get_running_loop().create_future()
        payload = orjson.dumps({"header": {"reply_to": reply_to}, "data": data}, default=str)
        try:
            async with asyncio.timeout(timeout_s):
                topic = f"{self._namespace}/{instance}/{command}"
                sent = await self._transport.publish(Publish(topic, payload), timeout_s=timeout_s)
                if sent.no_subscribers:
                    raise Unanswered(f"{command}: the bot is not connected to the broker")
                reply: dict[str, Any] = await pending
                return reply
        except BrokerError as error:
            raise Unanswered(f"{command}: {error}") from error
        except TimeoutError:
            raise Unanswered(f"{command}: no answer within {timeout_s:g} s") from None
        finally:
            del self._pending[reply_to]

    def _on_message(self, message: Message) -> None:
        try:
            body = json.loads(message.payload)  # accepts the bare NaN that bots write, which orjson does not
        except (ValueError, RecursionError):
            return
        if not isinstance(body, dict):
            return
        pending = self._pending.get(message.topic)
        if pending is not None and not pending.done():
            data = body.get("data")
            pending.set_result(data if isinstance(data, dict) else {})
            return
        before, _, rest = message.topic.partition(f"{self._namespace}/")
        instance, _, kind = rest.rpartition("/")
        listener = self._listeners.get(instance) if not before else None
        if listener is None:
            return
        match kind:
            case "status_updates" if body.get("msg") == "offline":
                return  # its will or its farewell: whether its process ended is seen at the process
            case "hb" | "status_updates" | "events":
                listener.on_alive()
            case "performance":
                listener.on_report(body)
            case "log":
                listener.on_log(
                    str(body.get("level_name", "INFO")),
                    str(body.get("logger_name", "")),
                    str(body.get("msg", "")),
                )


class MqttBridge:
    """The bridge of one bot over a BridgeClient. `name`: of its strategy's file, without the suffix."""

    def __init__(self, client: BridgeClient, instance: str, name: str) -> None:
        self._client = client
        self._instance = instance
        self._name = name

    def close(self) -> None:
        self._client.disconnect(self._instance)

    async def status(self) -> BotStatus:
        reply = await self._client.request(self._instance, "status", {"async_backend": False}, REPLY_S)
        text = str(reply.get("msg", "")).casefold()
        if reply.get("status") == _OK:
            return BotStatus.NOT_READY if _NOT_READY in text else BotStatus.RUNNING
        if _NO_STRATEGY in text:
            return BotStatus.NO_STRATEGY
        raise Unanswered(f"status: {reply.get('msg')}")

    async def start(self) -> None:
        await self._execute("import", {"strategy": self._name}, COMMAND_S)
        await self._execute("start", {"async_backend": False}, COMMAND_S)

    async def halt(self) -> None:
        await self._execute("stop", {"async_backend": False, "skip_order_cancellation": False}, COMMAND_S)

    async def configure(self, fields: Mapping[str, Any]) -> None:
        await self._execute("config", {"params": [[name, value] for name, value in fields.items()]}, REPLY_S)

    async def config(self) -> Mapping[str, Any]:
        reply = await self._execute("config", {"params": []}, REPLY_S)
        strategy = (reply.get("config") or {}).get("strategy")
        return strategy if isinstance(strategy, dict) else {}

    async def _execute(self, command: str, data: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        reply = await self._client.request(self._instance, command, data, timeout_s)
        if reply.get("status") != _OK:
            raise Unanswered(f"{command}: {reply.get('msg')}")
        return reply
