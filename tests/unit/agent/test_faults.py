"""Faults: how they are given, and what the decorators of an agent's parts do with them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from reconciler.agent.faults import Faults, FaultyRunner, FaultyTransport, FaultyValidator, parse_faults
from reconciler.agent.main import AgentSettings, make_runner
from reconciler.agent.model import AgentSession, ConfigChanged, StateChanged, Strategy
from reconciler.agent.responses import Refusal, done
from reconciler.agent.runner import BotEvent
from reconciler.agent.simulated.runner import SimulatedRunner
from reconciler.catalog.loading import load_catalog
from reconciler.errors import BrokerError, SettingsError
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.batches import pack_responses, unpack_responses
from reconciler.protocol.messages import encode
from reconciler.protocol.reports import decode_presence, decode_status
from reconciler.protocol.topics import Topics
from reconciler.transport.base import ClientIdentity, Message, Publish, PublishResult
from reconciler.transport.memory import Hub, MemoryTransport
from tests.support.agent_builders import CONFIG, strategy

TOPICS = Topics("hummingbot")
REPLY_TO = TOPICS.reply_to("ctl")
REPLY = encode(done(Op.START, "mm", "17", None))


class Wire:
    """A faulty agent's transport, connected, and all that a subscriber receives of it."""

    def __init__(self, faults: Faults) -> None:
        hub = Hub()
        self.faults = faults
        self.received: list[Message] = []
        self.outcomes: list[PublishResult | BrokerError] = []
        self.session = AgentSession(
            agent="agent", session="s", capabilities=(), strategy_types=(), heartbeat_s=1.0
        )
        self.transport = FaultyTransport(
            MemoryTransport(hub, ClientIdentity("agent")), TOPICS, faults, random.Random(7)
        )
        self._subscriber = MemoryTransport(hub, ClientIdentity("subscriber"))

    async def open(self) -> Wire:
        self._subscriber.on_message(self.received.append)
        await self._subscriber.connect()
        await self._subscriber.subscribe(["hummingbot/#"])
        await self.transport.connect()
        return self

    def post(self, topic: str, payload: bytes) -> None:
        self.transport.post(Publish(topic, payload), on_done=self.outcomes.append)

    def post_status(self, strategy: Strategy) -> None:
        """As an agent posts a change: retained, and for Basic peers."""
        payload = self.session.status(strategy, "2026-11-23T05:00:00Z")
        self.post(TOPICS.status_of(strategy.name), payload)
        self.post(TOPICS.status, payload)

    def heartbeat(self) -> None:
        self.post(TOPICS.presence("agent"), self.session.presence(0))

    async def replies(self, wait_s: float = 0.0) -> list[bytes]:
        await asyncio.sleep(wait_s)
        return [message.payload for message in self.received if message.topic == REPLY_TO]


async def wire(**faults: Any) -> Wire:
    return await Wire(Faults(**faults)).open()


def test_faults_are_read_from_text() -> None:
    faults = parse_faults({"lose": "0.2", "delay_s": "1.5", "refuse": "bid_spread, leverage"})

    assert faults == Faults(lose=0.2, delay_s=1.5, refuse=frozenset({"bid_spread", "leverage"}))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("loose", "0.2", "there is no fault 'loose'"),
        ("lose", "often", "a chance from 0 to 1"),
        ("lose", "1.5", "a chance from 0 to 1"),
        ("lose", "nan", "a chance from 0 to 1"),
        ("delay_s", "-1", "a number of seconds"),
        ("delay_s", "inf", "a number of seconds"),
    ],
)
def test_an_impossible_fault_is_refused_with_a_fix(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        parse_faults({name: text})
    assert caught.value.fix


def test_faults_are_refused_for_real_bots() -> None:
    settings = AgentSettings(runner="hummingbot", faults=Faults(crash=0.1))

    with pytest.raises(SettingsError, match="simulated bots only"):
        make_runner(settings, load_catalog(), random.Random(1))


async def test_without_faults_a_reply_goes_out_once_and_at_once() -> None:
    faulty = await wire()

    for _ in range(50):
        faulty.post(REPLY_TO, REPLY)

    assert await faulty.replies() == [REPLY] * 50
    assert faulty.outcomes == [PublishResult()] * 50


async def test_replies_are_lost_doubled_and_delayed() -> None:
    for faults, at_once, later in (
        ({"lose": 1.0}, 0, 0),
        ({"double": 1.0}, 2, 2),
        ({"delay_s": 0.2}, 0, 1),
        ({"reorder": 1.0, "double": 1.0}, 0, 2),
    ):
        faulty = await wire(**faults)
        faulty.post(REPLY_TO, REPLY)
        assert await faulty.replies() == [REPLY] * at_once
        assert await faulty.replies(0.25) == [REPLY] * later
        assert faulty.outcomes == [PublishResult()]


async def test_each_reply_of_a_batch_meets_its_own_fault() -> None:
    faulty = await wire(lose=0.5)

    faulty.post(TOPICS.batch_of(REPLY_TO), pack_responses([REPLY] * 40))

    await asyncio.sleep(0)
    (batch,) = faulty.received
    assert 5 < len(unpack_responses(batch.payload)) < 35


async def test_a_delayed_reply_is_lost_with_the_connection() -> None:
    faulty = await wire(delay_s=0.05)
    faulty.post(REPLY_TO, REPLY)

    await faulty.transport.close()

    assert await faulty.replies(0.1) == []


async def test_a_status_is_held_back_until_the_heartbeat_and_leaves_no_gap() -> None:
    faulty = await wire(silent=1.0)

    faulty.post_status(strategy())
    await asyncio.sleep(0)
    assert faulty.received == []
    assert all(isinstance(outcome, BrokerError) for outcome in faulty.outcomes)

    faulty.heartbeat()
    faulty.post_status(strategy())
    await asyncio.sleep(0)
    presence, retained, basic = faulty.received
    assert decode_presence(presence.payload).seq == 1
    assert decode_status(retained.payload).statuses[0].seq == 2
    assert basic.payload == retained.payload


async def test_the_end_of_a_strategy_is_never_held_back() -> None:
    faulty = await wire(silent=1.0)

    faulty.post(TOPICS.status_of("mm"), b"")

    await asyncio.sleep(0)
    assert [message.payload for message in faulty.received] == [b""]


async def test_an_ignored_field_is_reported_as_it_was() -> None:
    faulty = await wire()
    before = strategy()
    faulty.post_status(before)
    faulty.faults.ignore = frozenset({"bid_spread"})

    faulty.post_status(before.configured({**CONFIG, "bid_spread": Decimal(3), "ask_spread": Decimal(4)}))

    await asyncio.sleep(0)
    (status,) = decode_status(faulty.received[-1].payload).statuses
    assert status.config == {**CONFIG, "ask_spread": Decimal(4)}
    assert status.spec_hash == strategy(config=status.config).own_hash


def test_a_refused_field_is_refused_as_a_real_one_would() -> None:
    validator = FaultyValidator(catalog=load_catalog(), faults=Faults(refuse=frozenset({"bid_spread"})))

    with pytest.raises(Refusal) as caught:
        validator.check(strategy())

    assert caught.value.code == "INVALID_CONFIG"
    assert caught.value.details["field"] == "bid_spread"


async def events_of(
    disturb: Callable[[FaultyRunner], Any], seed: int = 1, **faults: Any
) -> list[StateChanged | ConfigChanged]:
    """What two simulated bots report while `disturb` runs; `idle` is paused."""
    rng = random.Random(seed)
    runner = FaultyRunner(SimulatedRunner(start_delay_s=0.0, rng=rng), Faults(**faults), rng)
    events: list[BotEvent] = []
    await runner.open(events.append)
    await runner.start(strategy(Lifecycle.RUNNING))
    await runner.start(strategy(name="idle"), paused=True)
    events.clear()
    await disturb(runner)
    await runner.close()
    return [event for event in events if isinstance(event, StateChanged | ConfigChanged)]


async def test_only_what_runs_is_disturbed() -> None:
    events = await events_of(FaultyRunner.disturb, crash=1.0)

    assert [event.name for event in events] == ["mm"]


async def test_a_bot_with_a_command_under_way_is_spared() -> None:
    async def while_it_stops(runner: FaultyRunner) -> None:
        with runner._spared("mm"):
            await runner.disturb()

    assert await events_of(while_it_stops, crash=1.0) == []


async def test_drift_stops_a_bot_or_changes_one_of_its_numbers() -> None:
    events = [event for seed in range(20) for event in await events_of(FaultyRunner.disturb, seed, drift=1.0)]

    configs = [event.config for event in events if isinstance(event, ConfigChanged)]
    assert any(isinstance(event, StateChanged) and event.state is Lifecycle.STOPPED for event in events)
    assert configs
    assert all(sum(config[name] != CONFIG[name] for name in CONFIG) == 1 for config in configs)
