"""A Basic peer's answers name no command: one that comes late must not be taken for the next command's."""

from __future__ import annotations

import asyncio
import json

from reconciler.fleet.base import CommandContext, PendingCommand
from reconciler.fleet.client import FleetClient
from reconciler.fleet.commands import LATE_RESPONSE_S, ControllerIdentity
from reconciler.fleet.target import subscriptions
from reconciler.model.change import Op, Step
from reconciler.model.spec import Key
from reconciler.protocol.topics import Topics
from reconciler.settings.model import TargetSettings
from reconciler.transport.base import ClientIdentity, Message, Publish
from reconciler.transport.filters import FilterSet
from reconciler.transport.memory import Hub, MemoryTransport

KEY = Key("default", "mm")
PATIENCE_S = 20.0


class Host:
    """Shows each command in its status at once, and answers it `late_s` afterwards; None: never."""

    def __init__(self, hub: Hub, late_s: float | None) -> None:
        self.received: list[str] = []
        self._late_s = late_s
        self._transport = MemoryTransport(hub, ClientIdentity("host"))
        self._transport.on_message(self._on_message)
        self._work: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await self._transport.connect()
        await self._transport.subscribe(["hummingbot/strategy/+"])

    def _on_message(self, message: Message) -> None:
        op = message.topic.rpartition("/")[2]
        self.received.append(op)
        task = asyncio.ensure_future(self._react({"stop": "stopped", "start": "running"}[op]))
        self._work.add(task)

    async def _react(self, state: str) -> None:
        await self._say("status", {"strategy_name": "mm", "state": state})
        if self._late_s is not None:
            await asyncio.sleep(self._late_s)
            await self._say("response", {"status": "success", "message": state})

    async def _say(self, level: str, body: dict[str, str]) -> None:
        await self._transport.publish(Publish(f"hummingbot/{level}", json.dumps(body).encode()))


async def meet(late_s: float | None) -> tuple[FleetClient, Host]:
    hub = Hub()
    host = Host(hub, late_s)
    await host.open()
    identity = ControllerIdentity(controller="ctl", owner="us", epoch=1)
    live = FleetClient(
        MemoryTransport(hub, ClientIdentity("ctl")), {"default": TargetSettings(profile="basic")}, identity
    )
    await live.open()
    return live, host


async def send(live: FleetClient, op: Op, state: str) -> PendingCommand:
    """Send one command and go on as soon as its status shows it, as a step does."""
    async with live.send(KEY, Step(op), CommandContext("k", "c", PATIENCE_S)) as ask:
        while (seen := live.strategy(KEY)) is None or seen.state != state:
            await asyncio.wait_for(ask.next_news(), PATIENCE_S)
    return ask


async def test_an_answer_that_comes_after_the_status_is_waited_for() -> None:
    live, host = await meet(late_s=0.2)

    first = await send(live, Op.STOP, "stopped")
    second = await send(live, Op.START, "running")

    assert host.received == ["stop", "start"]
    assert [ask.reply and ask.reply.message for ask in (first, second)] == ["stopped", "running"]


async def test_a_peer_that_never_answers_is_waited_for_once_and_no_more() -> None:
    live, host = await meet(late_s=None)
    clock = asyncio.get_running_loop().time
    await send(live, Op.STOP, "stopped")

    started = clock()
    for _ in range(20):
        await send(live, Op.START, "running")
        await send(live, Op.STOP, "stopped")

    assert len(host.received) == 41
    assert clock() - started < 40 * LATE_RESPONSE_S  # not once for each of them, however slow the machine


def test_no_message_meets_two_of_our_filters() -> None:
    topics = Topics("hummingbot")
    filters = [text for some, _ in subscriptions(topics, performance=True, logs=True) for text in some]

    for topic in (
        topics.response,
        topics.reply_to("ctl"),
        topics.status,
        topics.status_of("mm"),
        topics.logs,
    ):
        assert sum(topic in FilterSet([text]) for text in filters) == 1
