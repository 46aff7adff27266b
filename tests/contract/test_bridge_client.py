"""One connection to the broker for all bots (reconciler/agent/hummingbot/bridge.py), over a real Mosquitto."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from reconciler.agent.hummingbot.bridge import BridgeClient, Unanswered
from reconciler.agent.hummingbot.health import BotStatus
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Message, Publish, Transport
from reconciler.transport.factory import open_transport
from tests.support.brokers import Mosquitto
from tests.support.conditions import until


class Peer:
    """A bot's end of the line: `says` has the answer to each command, None for none."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.says: dict[str, bytes | None] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        transport.on_message(self._on_message)

    def _on_message(self, message: Message) -> None:
        command = message.topic.rpartition("/")[2]
        body = json.loads(message.payload)
        self.asked.append((command, body["data"]))
        answer = self.says.get(command)
        if answer is not None:
            work = self.transport.publish(Publish(body["header"]["reply_to"], answer))
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def answers(self, command: str, **data: object) -> None:
        self.says[command] = json.dumps({"header": {}, "data": data}).encode()

    async def tell(self, kind: str, payload: bytes) -> None:
        await self.transport.publish(Publish(f"hbot/mm@a/{kind}", payload))


class BotListener:
    def __init__(self) -> None:
        self.alive = 0
        self.logs: list[tuple[str, str, str]] = []
        self.reports: list[Mapping[str, Any]] = []

    def on_alive(self) -> None:
        self.alive += 1

    def on_log(self, level: str, logger: str, message: str) -> None:
        self.logs.append((level, logger, message))

    def on_report(self, report: Mapping[str, Any]) -> None:
        self.reports.append(report)


@pytest.fixture
async def client(mosquitto: Mosquitto) -> AsyncIterator[BridgeClient]:
    built = BridgeClient(open_transport(BrokerSettings(url=mosquitto.url), client_id="client"), "hbot")
    await built.open()
    yield built
    await built.close()


@pytest.fixture
async def peer(mosquitto: Mosquitto) -> AsyncIterator[Peer]:
    transport = open_transport(BrokerSettings(url=mosquitto.url), client_id="peer")
    built = Peer(transport)
    await transport.connect()
    commands = ("status", "start", "stop", "import", "config")
    await transport.subscribe([f"hbot/mm@a/{name}" for name in commands])
    yield built
    await transport.close()


@pytest.mark.parametrize(
    ("status", "text", "answer"),
    [
        (400, "No strategy is currently running!", BotStatus.NO_STRATEGY),
        (200, "\nMarket connectors are not ready.", BotStatus.NOT_READY),
        (200, "\n  Markets:\n", BotStatus.RUNNING),
    ],
)
async def test_what_status_says_is_understood(
    client, peer, status: int, text: str, answer: BotStatus
) -> None:
    peer.answers("status", status=status, msg=text)

    assert await client.connect("mm@a", "mm", BotListener()).status() is answer


async def test_two_questions_at_once_get_their_own_answers(client, peer) -> None:
    peer.answers("status", status=200, msg="fine")
    peer.answers("config", status=200, config={"strategy": {"bid_spread": 0.1}})
    bridge = client.connect("mm@a", "mm", BotListener())

    config, status = await asyncio.gather(bridge.config(), bridge.status())

    assert (config, status) == ({"bid_spread": 0.1}, BotStatus.RUNNING)


@pytest.mark.parametrize("answer", [b"{}", b'{"data": []}', b'{"data": "x"}', b'{"data": {"status": 500}}'])
async def test_an_answer_that_says_nothing_is_none(client, peer, answer: bytes) -> None:
    peer.says["status"] = answer

    with pytest.raises(Unanswered):
        await client.connect("mm@a", "mm", BotListener()).status()


@pytest.mark.parametrize("answer", [b"[]", b"{", b"\xff"])
async def test_what_is_no_answer_is_waited_past(client, peer, answer: bytes) -> None:
    peer.says["status"] = answer

    with pytest.raises(Unanswered, match="no answer within"):
        await client.request("mm@a", "status", {}, 0.3)


async def test_a_bot_that_says_nothing_is_not_waited_for_for_ever(client, peer) -> None:
    with pytest.raises(Unanswered, match=r"status: no answer within 0\.1 s"):
        await client.request("mm@a", "status", {}, 0.1)


async def test_a_bot_that_is_not_there_is_not_waited_for_at_all(client) -> None:
    with pytest.raises(Unanswered, match="the bot is not connected to the broker"):
        await client.request("mm@a", "status", {}, 60.0)


async def test_without_a_connection_nothing_is_asked(client, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    await until(lambda: not client.connected)

    with pytest.raises(Unanswered, match="not connected"):
        await client.request("mm@a", "status", {}, 60.0)


async def test_a_command_that_failed_says_why(client, peer) -> None:
    peer.answers("stop", status=400, msg="an order cannot be cancelled")

    with pytest.raises(Unanswered, match="stop: an order cannot be cancelled"):
        await client.connect("mm@a", "mm", BotListener()).halt()


async def test_a_stop_cancels_orders_and_waits_for_it(client, peer) -> None:
    peer.answers("stop", status=200)

    await client.connect("mm@a", "mm", BotListener()).halt()

    assert peer.asked == [("stop", {"async_backend": False, "skip_order_cancellation": False})]


async def test_a_strategy_is_loaded_from_its_file_before_it_is_started(client, peer) -> None:
    peer.answers("import", status=200)
    peer.answers("start", status=200)

    await client.connect("mm@a", "mm", BotListener()).start()

    assert [command for command, _ in peer.asked] == ["import", "start"]
    assert peer.asked[0][1] == {"strategy": "mm"}


async def test_news_reach_the_ear_of_their_bot_alone(client, peer) -> None:
    listener, other = BotListener(), BotListener()
    client.connect("mm@a", "mm", listener)
    client.connect("other@a", "other", other)

    await peer.tell("hb", b'{"ts": 1}')
    await peer.tell("performance", b'{"mm": {}}')
    await peer.tell("log", b'{"level_name": "ERROR", "logger_name": "x", "msg": "boom", "timestamp": 1e300}')

    await until(lambda: listener.logs)
    assert (listener.alive, listener.logs, listener.reports) == (1, [("ERROR", "x", "boom")], [{"mm": {}}])
    assert (other.alive, other.logs, other.reports) == (0, [], [])


async def test_a_report_with_a_number_that_is_none_is_a_report(client, peer) -> None:
    listener = BotListener()
    client.connect("mm@a", "mm", listener)

    await peer.tell("performance", b'{"mm": {"performance": {"volume_traded": 3, "global_pnl_quote": NaN}}}')

    await until(lambda: listener.reports)
    assert listener.reports[0]["mm"]["performance"]["volume_traded"] == 3


async def test_a_farewell_is_no_sign_of_life(client, peer) -> None:
    listener = BotListener()
    client.connect("mm@a", "mm", listener)

    await peer.tell("status_updates", b'{"type": "availability", "msg": "offline"}')
    await peer.tell("status_updates", b'{"type": "availability", "msg": "online"}')

    await until(lambda: listener.alive)
    assert listener.alive == 1


async def test_who_was_left_is_heard_no_more(client, peer) -> None:
    listener, later = BotListener(), BotListener()
    client.connect("mm@a", "mm", listener).close()
    await peer.tell("hb", b"{}")
    client.connect("mm@a", "mm", later)
    await peer.tell("hb", b"{}")

    await until(lambda: later.alive)
    assert listener.alive == 0


@pytest.mark.parametrize("payload", [b"", b"NaN", b"[1]", b'"x"', b"\xff"])
async def test_news_that_are_none_are_passed_over(client, peer, payload: bytes) -> None:
    listener = BotListener()
    client.connect("mm@a", "mm", listener)

    await peer.tell("log", payload)
    await peer.tell("hb", b"{}")

    await until(lambda: listener.alive)
    assert listener.logs == []
