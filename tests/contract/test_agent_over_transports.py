"""An agent as an Extended controller meets it, over every transport: answers, signatures, trouble on request."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.agent.faults import Faults
from reconciler.agent.main import AgentSettings, run_agent
from reconciler.errors import BrokerError, StoreError
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.canonical import inventory_digest
from reconciler.protocol.messages import AgentInventory, AgentPresence, CommandMessage, Reply, Status, encode
from reconciler.protocol.reports import decode_inventory, decode_presence, decode_reply, decode_status
from reconciler.protocol.signing import sign
from reconciler.protocol.times import format_time
from reconciler.protocol.topics import TopicKind, Topics
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Message, Properties, Publish, Transport
from reconciler.transport.factory import open_transport
from tests.support.agent_builders import CONFIG, command, meta, spec_hash

PATIENCE_S = 30.0
TOPICS = Topics("hummingbot")


class Controller:
    """Sees what agents say and asks them, as Extended."""

    def __init__(self, transport: Transport) -> None:
        self.statuses: dict[str, Status] = {}
        self.seen: list[tuple[str, Lifecycle]] = []
        self.presence: AgentPresence | None = None
        self.inventory: AgentInventory | None = None
        self.replies: list[Reply] = []
        self._news = asyncio.Event()
        self._transport = transport
        transport.on_message(self._on_message)

    async def open(self) -> None:
        await self._transport.connect()
        await self._transport.subscribe(["hummingbot/#"], qos=0)

    def _on_message(self, message: Message) -> None:
        address = TOPICS.read(message.topic)
        assert address is not None
        if address.kind is TopicKind.RESPONSE:
            self.replies.append(decode_reply(message.payload))
        elif address.kind is TopicKind.STATUS and address.name:
            self._on_status(address.name, message.payload)
        elif address.kind is TopicKind.PRESENCE:
            self.presence = decode_presence(message.payload)
        elif address.kind is TopicKind.INVENTORY:
            self.inventory = decode_inventory(message.payload)
        self._news.set()

    def _on_status(self, name: str, payload: bytes) -> None:
        if not payload:
            del self.statuses[name]
            return
        self.statuses[name] = decode_status(payload).statuses[0]
        self.seen.append((name, self.statuses[name].state))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def state(self, state: Lifecycle, name: str = "mm") -> Status:
        await self.until(lambda: name in self.statuses and self.statuses[name].state is state)
        return self.statuses[name]

    def answer_to(self, request_id: str) -> Reply | None:
        """The answer proper, not that it was accepted."""
        for reply in self.replies:
            if reply.meta and reply.meta.request_id == request_id and reply.meta.phase == "applied":
                return reply
        return None

    async def send(self, op: Op, given: CommandMessage | None = None, **fields: Any) -> str:
        """Send a command, with a request id of its own unless `given` has one."""
        request_id = secrets.token_hex(4)
        given = given or command(
            op, meta=meta(request_id=request_id, reply_to=TOPICS.reply_to("me")), **fields
        )
        await self._transport.publish(
            Publish(
                TOPICS.command(op),
                encode(given),
                properties=Properties(response_topic=TOPICS.reply_to("me"), correlation_data=b"c"),
            )
        )
        assert given.meta is not None
        return given.meta.request_id

    async def say(self, topic: str, payload: bytes) -> None:
        """Leave a retained message, as a peer would."""
        await self._transport.publish(Publish(topic, payload, retain=True))

    async def ask(self, op: Op, given: CommandMessage | None = None, **fields: Any) -> Reply:
        request_id = await self.send(op, given, **fields)
        await self.until(lambda: self.answer_to(request_id))
        reply = self.answer_to(request_id)
        assert reply is not None
        return reply

    def complete(self) -> bool:
        """Whether the inventory proves that all strategies are seen."""
        held, presence = self.inventory, self.presence
        return (
            held is not None
            and presence is not None
            and (held.session, held.count) == (presence.session, len(self.statuses))
            and held.digest == inventory_digest(self.statuses)
        )

    async def close(self) -> None:
        await self._transport.close()


class Agents:
    """Starts agents of this process, and ends them."""

    def __init__(self, broker: BrokerSettings, folder: Path) -> None:
        self._settings = AgentSettings(
            broker=broker, state_dir=folder, start_delay_s=0.02, heartbeat_s=0.5, seed=1
        )
        self._stops: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, **fields: Any) -> asyncio.Task[None]:
        stop = asyncio.Event()
        settings = msgspec.structs.replace(self._settings, **fields)
        task = asyncio.create_task(run_agent(settings, stop=stop))
        self._stops.append(stop)
        self._tasks.append(task)
        return task

    async def end(self) -> None:
        for stop in self._stops:
            stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture(params=["memory", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> BrokerSettings:
    if request.param == "memory":
        return BrokerSettings(url=f"memory:{secrets.token_hex(4)}")
    found: BrokerSettings = request.getfixturevalue("broker_settings")
    return found


@pytest.fixture
async def controller(broker: BrokerSettings) -> AsyncIterator[Controller]:
    controller = Controller(open_transport(broker, client_id="me"))
    await controller.open()
    yield controller
    await controller.close()


@pytest.fixture
async def agents(broker: BrokerSettings, controller: Controller, tmp_path: Path) -> AsyncIterator[Agents]:
    agents = Agents(broker, tmp_path / "agent")
    yield agents
    await agents.end()


async def up(controller: Controller) -> None:
    await controller.until(lambda: controller.presence and controller.presence.state == "online")


async def running(controller: Controller) -> None:
    """A strategy that runs."""
    await up(controller)
    assert (await controller.ask(Op.CREATE)).ok
    assert (await controller.ask(Op.START)).ok
    await controller.state(Lifecycle.RUNNING)


async def test_an_extended_command_is_answered_and_its_strategy_published_in_full(
    agents: Agents, controller: Controller
) -> None:
    agents.start(accounts=("default", "desk-2"))
    await up(controller)
    given = command(
        Op.CREATE,
        meta=meta(owner="us", commit="c1", epoch=4, account="desk-2", spec_hash=spec_hash(account="desk-2")),
    )

    reply = await controller.ask(Op.CREATE, given)

    assert reply.meta is not None
    assert (reply.meta.op, reply.meta.strategy_name, reply.meta.replayed) == ("create", "mm", False)
    assert reply.meta.spec_hash == spec_hash(account="desk-2")
    status = await controller.state(Lifecycle.STOPPED)
    assert status.config == CONFIG
    assert status.account == "desk-2"
    assert status.meta is not None
    assert (status.meta.owner, status.meta.commit, status.meta.epoch) == ("us", "c1", 4)
    await controller.until(lambda: controller.presence and controller.presence.epoch == 4)
    await controller.until(controller.complete)


async def test_the_picture_is_complete_after_a_burst(agents: Agents, controller: Controller) -> None:
    agents.start()
    await up(controller)
    names = [f"s{number}" for number in range(300)]

    await asyncio.gather(*(controller.ask(Op.CREATE, name=name) for name in names))
    await asyncio.gather(*(controller.ask(Op.DELETE, name=name) for name in names[::2]))

    await controller.until(lambda: len(controller.statuses) == 150 and controller.complete())


async def test_a_start_that_takes_long_is_accepted_first(agents: Agents, controller: Controller) -> None:
    agents.start(start_delay_s=2.3)
    await up(controller)
    await controller.ask(Op.CREATE)

    assert (await controller.ask(Op.START)).ok

    phases = [reply.meta.phase for reply in controller.replies if reply.meta and reply.meta.op == "start"]
    assert phases == ["accepted", "applied"]


async def test_a_stop_overtakes_a_start(agents: Agents, controller: Controller) -> None:
    agents.start(start_delay_s=60.0)
    await up(controller)
    await controller.ask(Op.CREATE)
    start = await controller.send(Op.START)
    await controller.state(Lifecycle.STARTING)

    assert (await controller.ask(Op.STOP)).ok

    overtaken = controller.answer_to(start)
    assert overtaken is not None
    assert overtaken.error_code == "CONFLICT"
    await controller.state(Lifecycle.STOPPED)


async def test_a_runner_that_takes_too_long_is_a_timeout(agents: Agents, controller: Controller) -> None:
    agents.start(start_delay_s=60.0, command_timeout_s=0.1)
    await up(controller)
    await controller.ask(Op.CREATE)

    reply = await controller.ask(Op.START)

    assert reply.error_code == "TIMEOUT"
    await controller.state(Lifecycle.STOPPED)


async def test_an_agent_with_keys_takes_signed_commands_only(agents: Agents, controller: Controller) -> None:
    agents.start(api_keys={"key": "secret"})
    await up(controller)
    expires_at = format_time(datetime.now(UTC) + timedelta(seconds=30))
    given = command(Op.CREATE, meta=meta(request_id="signed", expires_at=expires_at))

    assert (await controller.ask(Op.CREATE)).error_code == "UNAUTHORIZED"
    assert (
        await controller.ask(
            Op.CREATE, sign(TOPICS.command(Op.CREATE), given, api_key="key", api_secret="secret")
        )
    ).ok


async def test_what_was_answered_is_answered_again_after_a_restart(
    agents: Agents, controller: Controller
) -> None:
    task = agents.start()
    await up(controller)
    given = command(Op.CREATE, meta=meta(idempotency_key="k", epoch=7))
    await controller.ask(Op.CREATE, given)
    await agents.end()
    assert task.done()
    controller.replies.clear()

    agents.start()
    await up(controller)
    again = command(Op.CREATE, meta=meta(request_id="r2", idempotency_key="k", epoch=7))

    reply = await controller.ask(Op.CREATE, again)
    assert reply.meta is not None
    assert reply.meta.replayed
    stale = await controller.ask(Op.CREATE, command(Op.CREATE, meta=meta(request_id="r3", epoch=6)))
    assert stale.error_code == "STALE_EPOCH"


async def test_a_bot_that_keeps_crashing_ends_in_an_error_that_a_stop_clears(
    agents: Agents, controller: Controller
) -> None:
    faults = Faults()
    agents.start(faults=faults)
    await running(controller)
    faults.crash = 1.0

    status = await controller.state(Lifecycle.ERROR)

    assert "crashed" in str(status.message)
    assert (await controller.ask(Op.START)).error_code == "INVALID_STATE"
    faults.crash = 0.0
    assert (await controller.ask(Op.STOP)).ok
    assert (await controller.ask(Op.START)).ok


async def test_drift_is_published_and_shows_in_the_hash(agents: Agents, controller: Controller) -> None:
    faults = Faults()
    agents.start(faults=faults)
    await running(controller)
    before = controller.statuses["mm"]

    faults.drift = 1.0

    await controller.until(
        lambda: (
            controller.statuses["mm"].state is Lifecycle.STOPPED
            or controller.statuses["mm"].spec_hash != before.spec_hash
        )
    )


async def test_an_ignored_field_is_answered_with_success_and_not_taken(
    agents: Agents, controller: Controller
) -> None:
    agents.start(faults=Faults(ignore=frozenset({"bid_spread"})))
    await up(controller)
    faultless = {name: value for name, value in CONFIG.items() if name != "bid_spread"}

    assert (await controller.ask(Op.CREATE)).ok

    status = await controller.state(Lifecycle.STOPPED)
    assert status.config == faultless
    assert status.spec_hash != spec_hash()


async def test_a_lost_answer_still_leaves_a_status(agents: Agents, controller: Controller) -> None:
    agents.start(faults=Faults(lose=1.0))
    await up(controller)

    await controller.send(Op.CREATE)

    await controller.state(Lifecycle.STOPPED)
    assert controller.replies == []


async def test_a_status_held_back_is_published_with_the_next_heartbeat(
    agents: Agents, controller: Controller
) -> None:
    agents.start(faults=Faults(silent=1.0))
    await up(controller)
    assert (await controller.ask(Op.CREATE)).ok
    await controller.state(Lifecycle.STOPPED)


async def test_a_second_agent_under_the_root_ends_before_it_says_anything(
    agents: Agents, controller: Controller, tmp_path: Path
) -> None:
    agents.start()
    await up(controller)

    second = agents.start(name="other", state_dir=tmp_path / "other")

    with pytest.raises(BrokerError, match="agent 'agent' serves hummingbot already"):
        await second
    assert controller.presence is not None
    assert controller.presence.agent == "agent"


async def test_an_agent_that_only_the_broker_remembers_is_waited_for_one_heartbeat(
    agents: Agents, controller: Controller
) -> None:
    ghost = AgentPresence(agent="ghost", state="online", session="s", heartbeat_s=0.1)
    await controller.say(TOPICS.presence("ghost"), encode(ghost))

    agents.start()

    await controller.until(lambda: controller.presence and controller.presence.agent == "agent")


async def test_what_cannot_be_written_down_is_not_answered(
    agents: Agents, controller: Controller, tmp_path: Path
) -> None:
    task = agents.start()
    await up(controller)
    with contextlib.closing(sqlite3.connect(tmp_path / "agent" / "agent.db")) as db:
        db.execute("DROP TABLE strategies")

    await controller.send(Op.CREATE)

    with pytest.raises(StoreError, match="cannot be written"):
        await task
    assert controller.replies == []
    await controller.until(lambda: controller.presence and controller.presence.state == "offline")


async def test_of_two_that_start_at_once_one_remains(
    agents: Agents, controller: Controller, tmp_path: Path
) -> None:
    both = {agents.start(name="one"), agents.start(name="two", state_dir=tmp_path / "two")}

    async with asyncio.timeout(PATIENCE_S):
        done, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)

    assert len(done) == len(left) == 1
    with pytest.raises(BrokerError):
        await done.pop()


async def test_a_second_agent_on_the_folder_ends_too(agents: Agents, controller: Controller) -> None:
    agents.start()
    await up(controller)

    with pytest.raises(StoreError, match="another agent"):
        await agents.start(name="other")
