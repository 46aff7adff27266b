"""
What every transport promises (transport/base.py), over each of them and over real brokers.

A message may come twice, as always with QoS 1: amqtt acknowledges before it delivers, so that a new subscriber
may get one as retained and as fresh, and keeps the subscriptions of a client that broke off until it notices.
"""

from __future__ import annotations

import asyncio

import pytest

from reconciler.errors import BrokerError
from reconciler.transport.base import Message, Properties, Publish, PublishResult
from tests.support.transport_recorder import PATIENCE_S, TransportRecorder
from tests.support.transport_sites import BIG, Meet, Site


async def test_what_one_publishes_another_receives(meet: Meet, root: str) -> None:
    _, recorder = await meet("recorder", f"{root}/a")
    publisher, _ = await meet("sender")

    await publisher.publish(Publish(f"{root}/a", b"hello"))

    assert await recorder.received() == [Message(f"{root}/a", b"hello")]


async def test_two_clients_talk_both_ways(meet: Meet, root: str) -> None:
    one, one_recorder = await meet("one", f"{root}/to-one")
    two, two_recorder = await meet("two", f"{root}/to-two")

    await one.publish(Publish(f"{root}/to-two", b"ping"))
    await two_recorder.received()
    await two.publish(Publish(f"{root}/to-one", b"pong"))

    assert [message.payload for message in await one_recorder.received()] == [b"pong"]


async def test_messages_of_one_topic_keep_their_order(meet: Meet, root: str) -> None:
    _, recorder = await meet("recorder", f"{root}/a")
    publisher, _ = await meet("sender")
    sent = [str(number).encode() for number in range(500)]

    await asyncio.gather(*(publisher.publish(Publish(f"{root}/a", payload)) for payload in sent))
    await recorder.received(len(sent))

    assert recorder.payloads == sent


async def test_qos_0_arrives_too(meet: Meet, root: str) -> None:
    publisher, recorder = await meet("sender", f"{root}/a")

    result = await publisher.publish(Publish(f"{root}/a", b"x", qos=0))

    assert not result.no_subscribers
    assert (await recorder.received())[0].payload == b"x"


async def test_a_late_subscriber_receives_what_is_retained(meet: Meet, root: str) -> None:
    publisher, present = await meet("sender", f"{root}/+")
    await publisher.publish(Publish(f"{root}/a", b"old", retain=True))
    await publisher.publish(Publish(f"{root}/a", b"new", retain=True))
    await present.received(2)

    _, recorder = await meet("recorder", f"{root}/+")

    assert (await recorder.received())[0] == Message(f"{root}/a", b"new", retain=True)


async def test_a_present_subscriber_receives_a_retained_message_as_fresh(meet: Meet, root: str) -> None:
    publisher, recorder = await meet("sender", f"{root}/a")

    await publisher.publish(Publish(f"{root}/a", b"now", retain=True))

    assert await recorder.received() == [Message(f"{root}/a", b"now", retain=False)]


async def test_an_empty_retained_message_deletes(meet: Meet, root: str) -> None:
    publisher, present = await meet("sender", f"{root}/+")
    await publisher.publish(Publish(f"{root}/a", b"x", retain=True))
    await publisher.publish(Publish(f"{root}/a", b"", retain=True))
    await publisher.publish(Publish(f"{root}/b", b"kept", retain=True))
    await present.received(3)

    _, late = await meet("late", f"{root}/+")

    assert {message.payload for message in await late.received()} == {b"kept"}
    assert present.payloads == [b"x", b"", b"kept"]


async def test_subscribing_again_brings_what_is_retained_again(meet: Meet, root: str) -> None:
    transport, recorder = await meet("one", f"{root}/+")
    await transport.publish(Publish(f"{root}/a", b"x", retain=True))
    await recorder.received()

    await transport.subscribe([f"{root}/+"])

    assert [message.retain for message in await recorder.received(2)] == [False, True]


async def test_wildcards_choose_topics(meet: Meet, root: str) -> None:
    transport, recorder = await meet("one", f"{root}/status/+", f"{root}/deep/#", f"{root}/end")
    for topic in ("status/a", "status", "status/a/b", "deep", "deep/a/b", "other", "end"):
        await transport.publish(Publish(f"{root}/{topic}", b""))

    await recorder.until(lambda: f"{root}/end" in recorder.events)

    assert recorder.events[1:] == [f"{root}/{topic}" for topic in ("status/a", "deep", "deep/a/b", "end")]


async def test_posts_and_publishes_of_one_topic_leave_in_the_order_of_the_calls(
    meet: Meet, root: str
) -> None:
    _, recorder = await meet("recorder", f"{root}/a")
    publisher, _ = await meet("sender")
    ends: list[PublishResult | BrokerError] = []
    sent = [str(number).encode() for number in range(3_000)]

    for payload in sent[:-1]:
        publisher.post(Publish(f"{root}/a", payload), on_done=ends.append)
    await publisher.publish(Publish(f"{root}/a", sent[-1]), timeout_s=PATIENCE_S)
    await recorder.received(len(sent))

    # amqtt may deliver what it has acknowledged a second time, at the end
    assert recorder.payloads[: len(sent)] == sent
    assert len(ends) == len(sent) - 1
    assert {type(end) for end in ends} == {PublishResult}


async def test_a_post_at_qos_0_arrives_and_is_done_at_once(meet: Meet, root: str) -> None:
    publisher, recorder = await meet("sender", f"{root}/a")
    ends: list[PublishResult | BrokerError] = []

    publisher.post(Publish(f"{root}/a", b"x", qos=0), on_done=ends.append)

    assert (await recorder.received())[0].payload == b"x"
    assert [type(end) for end in ends] == [PublishResult]


async def test_a_failing_callback_affects_nothing_else(meet: Meet, root: str) -> None:
    transport, recorder = await meet("one")
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    failure = RuntimeError("mine")

    def fail(message: Message) -> None:
        raise failure

    transport.on_message(fail)
    later = TransportRecorder(transport)
    await transport.subscribe([f"{root}/+"])
    await transport.publish(Publish(f"{root}/a", b"1"))
    await transport.publish(Publish(f"{root}/b", b"2"))

    assert len(await later.received(2)) == len(await recorder.received(2)) == 2
    assert reported == [failure, failure]
    assert transport.connected


async def test_a_large_payload_arrives_whole(meet: Meet, root: str) -> None:
    transport, recorder = await meet("one", f"{root}/+")

    await transport.publish(Publish(f"{root}/a", BIG))

    assert (await recorder.received())[0].payload == BIG


async def test_topics_and_payloads_may_hold_any_language(meet: Meet, root: str) -> None:
    transport, recorder = await meet("one", f"{root}/日本/+")

    await transport.publish(Publish(f"{root}/日本/Größe €😀", "käse".encode()))

    assert await recorder.received() == [Message(f"{root}/日本/Größe €😀", "käse".encode())]


async def test_properties_travel_with_mqtt_5_and_are_dropped_without(
    site: Site, meet: Meet, root: str
) -> None:
    transport, recorder = await meet("one", f"{root}/+")
    sent = Properties(
        response_topic=f"{root}/reply", correlation_data=b"\0id", expiry_s=60, content_type="application/json"
    )

    await transport.publish(Publish(f"{root}/a", b"x", properties=sent))

    assert (await recorder.received())[0].properties == (sent if site.mqtt5 else None)


async def test_a_broker_at_mqtt_5_reports_that_nobody_subscribes(site: Site, meet: Meet, root: str) -> None:
    transport, _ = await meet("one")

    alone = await transport.publish(Publish(f"{root}/a", b"x"))
    await transport.subscribe([f"{root}/a"])
    with_subscriber = await transport.publish(Publish(f"{root}/a", b"x"))

    assert alone.no_subscribers is site.mqtt5
    assert not with_subscriber.no_subscribers


async def test_what_cannot_be_a_topic_or_filter_is_refused_at_once(meet: Meet) -> None:
    transport, _ = await meet("one")

    for topic in ("", "a/+", "#"):
        with pytest.raises(ValueError, match="is not a topic"):
            await transport.publish(Publish(topic, b""))
        with pytest.raises(ValueError, match="topic"):
            transport.post(Publish(topic, b""))
    with pytest.raises(ValueError, match="is not a topic filter"):
        await transport.subscribe(["a/#/b"])
    assert transport.connected
