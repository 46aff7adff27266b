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
from tests.support.transport_recorder import PATIENCE_S, Ear
from tests.support.transport_sites import BIG, Meet, Site


async def test_what_one_publishes_another_receives(meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/a")
    mouth, _ = await meet("mouth")

    await mouth.publish(Publish(f"{root}/a", b"hello"))

    assert await ear.hear() == [Message(f"{root}/a", b"hello")]


async def test_two_clients_talk_both_ways(meet: Meet, root: str) -> None:
    one, one_ear = await meet("one", f"{root}/to-one")
    two, two_ear = await meet("two", f"{root}/to-two")

    await one.publish(Publish(f"{root}/to-two", b"ping"))
    await two_ear.hear()
    await two.publish(Publish(f"{root}/to-one", b"pong"))

    assert [message.payload for message in await one_ear.hear()] == [b"pong"]


async def test_messages_of_one_topic_keep_their_order(meet: Meet, root: str) -> None:
    _, ear = await meet("ear", f"{root}/a")
    mouth, _ = await meet("mouth")
    sent = [str(number).encode() for number in range(500)]

    await asyncio.gather(*(mouth.publish(Publish(f"{root}/a", payload)) for payload in sent))
    await ear.hear(len(sent))

    assert ear.payloads == sent


async def test_qos_0_arrives_too(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/a")

    result = await mouth.publish(Publish(f"{root}/a", b"x", qos=0))

    assert not result.no_subscribers
    assert (await ear.hear())[0].payload == b"x"


async def test_a_late_subscriber_is_told_what_is_retained(meet: Meet, root: str) -> None:
    mouth, present = await meet("mouth", f"{root}/+")
    await mouth.publish(Publish(f"{root}/a", b"old", retain=True))
    await mouth.publish(Publish(f"{root}/a", b"new", retain=True))
    await present.hear(2)

    _, ear = await meet("ear", f"{root}/+")

    assert (await ear.hear())[0] == Message(f"{root}/a", b"new", retain=True)


async def test_a_present_subscriber_hears_a_retained_message_as_fresh(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/a")

    await mouth.publish(Publish(f"{root}/a", b"now", retain=True))

    assert await ear.hear() == [Message(f"{root}/a", b"now", retain=False)]


async def test_an_empty_retained_message_deletes(meet: Meet, root: str) -> None:
    mouth, present = await meet("mouth", f"{root}/+")
    await mouth.publish(Publish(f"{root}/a", b"x", retain=True))
    await mouth.publish(Publish(f"{root}/a", b"", retain=True))
    await mouth.publish(Publish(f"{root}/b", b"kept", retain=True))
    await present.hear(3)

    _, late = await meet("late", f"{root}/+")

    assert {message.payload for message in await late.hear()} == {b"kept"}
    assert present.payloads == [b"x", b"", b"kept"]


async def test_subscribing_again_tells_what_is_retained_again(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/+")
    await transport.publish(Publish(f"{root}/a", b"x", retain=True))
    await ear.hear()

    await transport.subscribe([f"{root}/+"])

    assert [message.retain for message in await ear.hear(2)] == [False, True]


async def test_wildcards_choose_topics(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/status/+", f"{root}/deep/#", f"{root}/end")
    for topic in ("status/a", "status", "status/a/b", "deep", "deep/a/b", "other", "end"):
        await transport.publish(Publish(f"{root}/{topic}", b""))

    await ear.until(lambda: f"{root}/end" in ear.said)

    assert ear.said[1:] == [f"{root}/{topic}" for topic in ("status/a", "deep", "deep/a/b", "end")]


async def test_posts_and_publishes_of_one_topic_leave_in_the_order_of_the_calls(
    meet: Meet, root: str
) -> None:
    _, ear = await meet("ear", f"{root}/a")
    mouth, _ = await meet("mouth")
    ends: list[PublishResult | BrokerError] = []
    sent = [str(number).encode() for number in range(3_000)]

    for payload in sent[:-1]:
        mouth.post(Publish(f"{root}/a", payload), on_done=ends.append)
    await mouth.publish(Publish(f"{root}/a", sent[-1]), timeout_s=PATIENCE_S)
    await ear.hear(len(sent))

    # amqtt may deliver what it has acknowledged a second time, at the end
    assert ear.payloads[: len(sent)] == sent
    assert len(ends) == len(sent) - 1
    assert {type(end) for end in ends} == {PublishResult}


async def test_a_post_at_qos_0_arrives_and_is_told_at_once(meet: Meet, root: str) -> None:
    mouth, ear = await meet("mouth", f"{root}/a")
    ends: list[PublishResult | BrokerError] = []

    mouth.post(Publish(f"{root}/a", b"x", qos=0), on_done=ends.append)

    assert (await ear.hear())[0].payload == b"x"
    assert [type(end) for end in ends] == [PublishResult]


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
    await transport.publish(Publish(f"{root}/a", b"1"))
    await transport.publish(Publish(f"{root}/b", b"2"))

    assert len(await later.hear(2)) == len(await ear.hear(2)) == 2
    assert reported == [failure, failure]
    assert transport.connected


async def test_a_large_payload_arrives_whole(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/+")

    await transport.publish(Publish(f"{root}/a", BIG))

    assert (await ear.hear())[0].payload == BIG


async def test_topics_and_payloads_may_hold_any_language(meet: Meet, root: str) -> None:
    transport, ear = await meet("one", f"{root}/日本/+")

    await transport.publish(Publish(f"{root}/日本/Größe €😀", "käse".encode()))

    assert await ear.hear() == [Message(f"{root}/日本/Größe €😀", "käse".encode())]


async def test_properties_travel_with_mqtt_5_and_are_dropped_without(
    site: Site, meet: Meet, root: str
) -> None:
    transport, ear = await meet("one", f"{root}/+")
    sent = Properties(
        response_topic=f"{root}/reply", correlation_data=b"\0id", expiry_s=60, content_type="application/json"
    )

    await transport.publish(Publish(f"{root}/a", b"x", properties=sent))

    assert (await ear.hear())[0].properties == (sent if site.mqtt5 else None)


async def test_who_can_tell_says_that_nobody_listens(site: Site, meet: Meet, root: str) -> None:
    transport, _ = await meet("one")

    alone = await transport.publish(Publish(f"{root}/a", b"x"))
    await transport.subscribe([f"{root}/a"])
    heard = await transport.publish(Publish(f"{root}/a", b"x"))

    assert alone.no_subscribers is site.mqtt5
    assert not heard.no_subscribers


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
