"""
What every transport promises (transport/base.py), over each of them and over real brokers.

A message may come twice, as always with QoS 1: amqtt acknowledges before it delivers, so that a new subscriber
may get one as retained and as fresh, and keeps the subscriptions of a client that broke off until it notices.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from reconciler.errors import BrokerError
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity, Message, Properties, PublishResult, Transport, Will
from reconciler.transport.embedded.broker import AMQTT
from reconciler.transport.memory import Hub, MemoryTransport
from reconciler.transport.mqtt.client import MqttTransport
from tests.support.brokers import READY_S, Line, Mosquitto, free_port
from tests.support.transport_recorder import PATIENCE_S, Ear

BIG = os.urandom(2 * 2**20)


class Site(Protocol):
    """Somewhere to meet: makes transports, and cuts them off as a bad network would."""

    mqtt5: bool
    evicts: bool

    async def transport(self, name: str, will: Will | None = None) -> Transport: ...

    async def cut(self, transport: Transport) -> None: ...

    async def mend(self, transport: Transport) -> None: ...

    async def leave(self) -> None: ...


class MemorySite:
    mqtt5 = True
    evicts = True

    def __init__(self) -> None:
        self.hub = Hub()

    async def transport(self, name: str, will: Will | None = None) -> Transport:
        return MemoryTransport(self.hub, ClientIdentity(name, will))

    async def cut(self, transport: Transport) -> None:
        assert isinstance(transport, MemoryTransport)
        transport.drop()

    async def mend(self, transport: Transport) -> None:
        assert isinstance(transport, MemoryTransport)
        transport.restore()

    async def leave(self) -> None:
        pass


class BrokerSite:
    """A real broker, with a line of its own for each transport."""

    def __init__(self, port: int, version: MqttVersion, *, evicts: bool) -> None:
        self.mqtt5 = version is MqttVersion.V5
        self.evicts = evicts
        self._port = port
        self._version = version
        self._lines: dict[int, Line] = {}

    async def transport(self, name: str, will: Will | None = None) -> Transport:
        line = Line(self._port)
        await line.mend()
        address = BrokerAddress(host="127.0.0.1", port=line.port, versions=(self._version,))

        async def where() -> BrokerAddress:
            return address

        transport = MqttTransport(where, ClientIdentity(name, will))
        self._lines[id(transport)] = line
        return transport

    async def cut(self, transport: Transport) -> None:
        await self._lines[id(transport)].cut()

    async def mend(self, transport: Transport) -> None:
        await self._lines[id(transport)].mend()

    async def leave(self) -> None:
        for line in self._lines.values():
            await line.cut()


@pytest.fixture(scope="module")
def mosquitto_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker.port
    broker.stop()


@pytest.fixture(scope="module")
def amqtt_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    log = tmp_path_factory.mktemp("amqtt") / "log"
    with log.open("wb") as output:
        child = subprocess.Popen([sys.executable, "-P", AMQTT, str(port)], stdout=output, stderr=output)
    _wait_for(port, log)
    yield port
    child.terminate()
    child.wait(READY_S)


def _wait_for(port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while subprocess.run(
        ["bash", "-c", f"</dev/tcp/127.0.0.1/{port}"], capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.fixture(params=["memory", "mosquitto-5", "mosquitto-3.1.1", "amqtt"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    place = _site(request)
    yield place
    await place.leave()


def _site(request: pytest.FixtureRequest) -> Site:
    if request.param == "memory":
        return MemorySite()
    if request.param == "amqtt":
        return BrokerSite(request.getfixturevalue("amqtt_port"), MqttVersion.V311, evicts=False)
    version = MqttVersion.V5 if request.param == "mosquitto-5" else MqttVersion.V311
    return BrokerSite(request.getfixturevalue("mosquitto_port"), version, evicts=True)


Meet = Callable[..., "asyncio.Future[tuple[Transport, Ear]]"]


@pytest.fixture
def root() -> str:
    """A root of topics that no other test uses: the brokers outlive a test."""
    return f"test-{uuid4().hex}"


@pytest.fixture
async def meet(site: Site, root: str) -> AsyncIterator[Callable[..., object]]:
    """`meet(name, *filters, will=None)`: a connected transport, subscribed, and what it hears."""
    open_now: list[Transport] = []

    async def connected(name: str, *filters: str, will: Will | None = None) -> tuple[Transport, Ear]:
        transport = await site.transport(f"{root[:14]}-{name}", will)
        ear = Ear(transport)
        open_now.append(transport)
        await transport.connect()
        if filters:
            await transport.subscribe(filters)
        return transport, ear

    yield connected
    for transport in open_now:
        await transport.close()


async def test_what_one_publishes_another_receives(meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/a")
    mouth, _ = await meet("mouth")

    await mouth.publish(f"{root}/a", b"hello")

    assert await ear.hear() == [Message(f"{root}/a", b"hello")]


async def test_two_clients_talk_both_ways(meet: Meet, root: str) -> None:
    one, one_ear = await meet("one", f"{root}/to-one")
    two, two_ear = await meet("two", f"{root}/to-two")

    await one.publish(f"{root}/to-two", b"ping")
    await two_ear.hear()
    await two.publish(f"{root}/to-one", b"pong")

    assert [message.payload for message in await one_ear.hear()] == [b"pong"]


async def test_messages_of_one_topic_keep_their_order(meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/a")
    mouth, _ = await meet("mouth")
    sent = [str(number).encode() for number in range(500)]

    await asyncio.gather(*(mouth.publish(f"{root}/a", payload) for payload in sent))
    await ear.hear(len(sent))

    assert ear.payloads == sent


async def test_qos_0_arrives_too(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/a")

    result = await mouth.publish(f"{root}/a", b"x", qos=0)

    assert not result.no_subscribers
    assert (await ear.hear())[0].payload == b"x"


async def test_a_late_subscriber_is_told_what_is_retained(meet: Meet, root: str) -> None:
    mouth, present = await meet("mouth", f"{root}/+")
    await mouth.publish(f"{root}/a", b"old", retain=True)
    await mouth.publish(f"{root}/a", b"new", retain=True)
    await present.hear(2)

    _, ear = await meet("ear", f"{root}/+")

    assert (await ear.hear())[0] == Message(f"{root}/a", b"new", retain=True)


async def test_a_present_subscriber_hears_a_retained_message_as_fresh(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/a")

    await mouth.publish(f"{root}/a", b"now", retain=True)

    assert await ear.hear() == [Message(f"{root}/a", b"now", retain=False)]


async def test_an_empty_retained_message_deletes(meet: Meet, root: str) -> None:
    mouth, present = await meet("mouth", f"{root}/+")
    await mouth.publish(f"{root}/a", b"x", retain=True)
    await mouth.publish(f"{root}/a", b"", retain=True)
    await mouth.publish(f"{root}/b", b"kept", retain=True)
    await present.hear(3)

    _, late = await meet("late", f"{root}/+")

    assert {message.payload for message in await late.hear()} == {b"kept"}
    assert present.payloads == [b"x", b"", b"kept"]


async def test_subscribing_again_tells_what_is_retained_again(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/+")
    await transport.publish(f"{root}/a", b"x", retain=True)
    await ear.hear()

    await transport.subscribe([f"{root}/+"])

    assert [message.retain for message in await ear.hear(2)] == [False, True]


async def test_wildcards_choose_topics(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/status/+", f"{root}/deep/#", f"{root}/end")
    for topic in ("status/a", "status", "status/a/b", "deep", "deep/a/b", "other", "end"):
        await transport.publish(f"{root}/{topic}", b"")

    await ear.until(lambda: f"{root}/end" in ear.said)

    assert ear.said[1:] == [f"{root}/{topic}" for topic in ("status/a", "deep", "deep/a/b", "end")]


async def test_a_will_is_published_when_a_client_vanishes(site: Site, meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/+")
    doomed, _ = await meet("doomed", will=Will(f"{root}/will", b"gone", retain=True))

    await site.cut(doomed)
    await ear.hear()
    _, late = await meet("late", f"{root}/+")

    assert ear.payloads == [b"gone"]
    assert (await late.hear())[0].payload == b"gone"


async def test_no_will_is_published_when_a_client_takes_leave(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/+")
    # Subscribed, so that amqtt has begun to watch it: from one that leaves before, amqtt publishes the will.
    leaving, _ = await meet("leaving", f"{root}/leaving", will=Will(f"{root}/will", b"gone"))

    await leaving.close()
    await asyncio.sleep(0.05)
    await mouth.publish(f"{root}/after", b"after")

    assert [message.payload for message in await ear.hear()] == [b"after"]


async def test_nothing_is_published_while_disconnected_nor_later(site: Site, meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/+")
    mouth, mouth_ear = await meet("mouth")
    await site.cut(mouth)
    await mouth_ear.lost()

    with pytest.raises(BrokerError, match="not connected"):
        await mouth.publish(f"{root}/a", b"late")
    await site.mend(mouth)
    await mouth_ear.back()
    await mouth.publish(f"{root}/b", b"on time")

    assert [message.payload for message in await ear.hear()] == [b"on time"]


async def test_a_publish_in_flight_when_the_connection_breaks_is_said_to_be_unknown(
    site: Site, meet: Meet, root: str
) -> None:
    mouth, ear = await meet("mouth")
    work = [asyncio.ensure_future(mouth.publish(f"{root}/a", BIG[:100_000])) for _ in range(200)]
    await asyncio.sleep(0)

    await site.cut(mouth)
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    await ear.lost()

    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(error, BrokerError) for error in errors)
    assert all("unknown" in str(error) or "not sent" in str(error) for error in errors)


async def test_posts_and_publishes_of_one_topic_leave_in_the_order_of_the_calls(
    meet: Meet, root: str
) -> None:
    _, ear = await meet("ear", f"{root}/a")
    mouth, _ = await meet("mouth")
    ends: list[PublishResult | BrokerError] = []
    sent = [str(number).encode() for number in range(3_000)]

    for payload in sent[:-1]:
        mouth.post(f"{root}/a", payload, told=ends.append)
    await mouth.publish(f"{root}/a", sent[-1], timeout_s=PATIENCE_S)
    await ear.hear(len(sent))

    # amqtt may deliver what it has acknowledged a second time, at the end
    assert ear.payloads[: len(sent)] == sent
    assert len(ends) == len(sent) - 1
    assert {type(end) for end in ends} == {PublishResult}


async def test_a_post_at_qos_0_arrives_and_is_told_at_once(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/a")
    ends: list[PublishResult | BrokerError] = []

    mouth.post(f"{root}/a", b"x", qos=0, told=ends.append)

    assert (await ear.hear())[0].payload == b"x"
    assert [type(end) for end in ends] == [PublishResult]


async def test_nothing_is_posted_while_disconnected_nor_later(site: Site, meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/+")
    mouth, mouth_ear = await meet("mouth")
    ends: list[PublishResult | BrokerError] = []
    await site.cut(mouth)
    await mouth_ear.lost()

    with pytest.raises(BrokerError, match="not connected"):
        mouth.post(f"{root}/a", b"late", told=ends.append)
    await site.mend(mouth)
    await mouth_ear.back()
    mouth.post(f"{root}/b", b"on time", told=ends.append)

    assert [message.payload for message in await ear.hear()] == [b"on time"]
    await ear.until(lambda: bool(ends))
    assert [type(end) for end in ends] == [PublishResult]


async def test_each_post_is_told_its_end_when_the_connection_breaks(
    site: Site, meet: Meet, root: str
) -> None:
    mouth, ear = await meet("mouth")
    ends: list[PublishResult | BrokerError] = []
    for _ in range(200):
        mouth.post(f"{root}/a", BIG[:100_000], told=ends.append)

    await site.cut(mouth)
    await ear.lost()
    await asyncio.sleep(0)

    assert len(ends) == 200
    errors = [str(end) for end in ends if isinstance(end, BrokerError)]
    assert all("unknown" in error or "not sent" in error for error in errors)


async def test_subscriptions_are_made_again_before_the_return_is_reported(
    site: Site, meet: Meet, root: str
) -> None:
    mouth, present = await meet("mouth", f"{root}/state")
    await mouth.publish(f"{root}/state", b"x", retain=True)
    await present.hear()
    transport, ear = await meet("ear", f"{root}/state", f"{root}/live")
    await ear.hear()

    await site.cut(transport)
    await ear.lost()
    await site.mend(transport)
    await ear.back()
    await mouth.publish(f"{root}/live", b"y")
    await ear.until(lambda: f"{root}/live" in ear.said)

    assert [said for said, _ in groupby(ear.said)] == [
        "connected",
        f"{root}/state",
        "lost",
        "connected",
        f"{root}/state",
        f"{root}/live",
    ]


async def test_connected_is_true_between_the_reports(site: Site, meet: Meet) -> None:
    transport, ear = await meet("one")
    seen: list[bool] = [transport.connected]
    transport.on_connection(lambda connected, _reason: seen.append(transport.connected is connected))

    await site.cut(transport)
    await ear.lost()
    await site.mend(transport)
    await ear.back()

    assert seen == [True, True, True]


async def test_a_failing_callback_harms_nobody_but_itself(meet: Meet, root: str) -> None:
    transport, ear = await meet("one")
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    failure = RuntimeError("mine")

    def fail(message: Message) -> None:
        raise failure

    transport.on_message(fail)
    later = Ear(transport)
    await transport.subscribe([f"{root}/+"])
    await transport.publish(f"{root}/a", b"1")
    await transport.publish(f"{root}/b", b"2")

    assert len(await later.hear(2)) == len(await ear.hear(2)) == 2
    assert reported == [failure, failure]
    assert transport.connected


async def test_a_large_payload_arrives_whole(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/+")

    await transport.publish(f"{root}/a", BIG)

    assert (await ear.hear())[0].payload == BIG


async def test_topics_and_payloads_may_hold_any_language(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/日本/+")

    await transport.publish(f"{root}/日本/Größe €😀", "käse".encode())

    assert await ear.hear() == [Message(f"{root}/日本/Größe €😀", "käse".encode())]


async def test_properties_travel_with_mqtt_5_and_are_dropped_without(
    site: Site, meet: Meet, root: str
) -> None:
    transport, ear = await meet("one", f"{root}/+")
    sent = Properties(
        response_topic=f"{root}/reply", correlation_data=b"\0id", expiry_s=60, content_type="application/json"
    )

    await transport.publish(f"{root}/a", b"x", properties=sent)

    assert (await ear.hear())[0].properties == (sent if site.mqtt5 else None)


async def test_who_can_tell_says_that_nobody_listens(site: Site, meet: Meet, root: str) -> None:
    transport, _ = await meet("one")

    alone = await transport.publish(f"{root}/a", b"x")
    await transport.subscribe([f"{root}/a"])
    heard = await transport.publish(f"{root}/a", b"x")

    assert alone.no_subscribers is site.mqtt5
    assert not heard.no_subscribers


async def test_a_second_client_with_the_same_id_evicts_the_first(site: Site, meet: Meet) -> None:
    if not site.evicts:
        pytest.skip("amqtt lets both stay")
    first, ear = await meet("same")
    await meet("same")

    reason = await ear.lost()
    await first.close()

    assert "another client" in reason or "closed the connection" in reason


async def test_what_cannot_be_a_topic_or_filter_is_refused_at_once(meet: Meet) -> None:
    transport, _ = await meet("one")

    for topic in ("", "a/+", "#"):
        with pytest.raises(ValueError, match="is not a topic"):
            await transport.publish(topic, b"")
        with pytest.raises(ValueError, match="topic"):
            transport.post(topic, b"")
    with pytest.raises(ValueError, match="is not a topic filter"):
        await transport.subscribe(["a/#/b"])
    assert transport.connected


async def test_before_connecting_nothing_goes(site: Site, root: str) -> None:
    transport = await site.transport("idle")

    assert not transport.connected
    with pytest.raises(BrokerError, match="not connected"):
        await transport.publish(f"{root}/a", b"x")
    with pytest.raises(BrokerError, match="not connected"):
        await transport.subscribe([f"{root}/a"])
    await transport.close()


async def test_connecting_and_closing_twice_changes_nothing(meet: Meet) -> None:
    transport, ear = await meet("one")

    await transport.connect()
    await transport.close()
    await transport.close()

    assert [connected for connected, _ in ear.connection] == [True]


async def test_a_closed_transport_can_be_connected_again(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/+")
    await transport.close()

    await transport.connect()
    await transport.publish(f"{root}/a", b"x")

    assert [message.payload for message in await ear.hear()] == [b"x"]


async def test_close_leaves_neither_task_nor_file_behind(site: Site, meet: Meet, root: str) -> None:
    await meet("warm-up")
    before = _held()
    transport = await site.transport(f"{root[:14]}-brief")
    await transport.connect()
    await transport.subscribe([f"{root}/#"])
    await transport.publish(f"{root}/a", b"x")

    await transport.close()
    await site.cut(transport)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while _held() != before:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def _held() -> tuple[set[asyncio.Task[object]], int]:
    """Tasks and open files of this process."""
    return asyncio.all_tasks(), sum(1 for _ in Path("/proc/self/fd").iterdir())
