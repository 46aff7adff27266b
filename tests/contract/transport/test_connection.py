"""
What every transport promises (transport/base.py), over each of them, when connections are made, lost and closed.

A message may come twice, as always with QoS 1: amqtt acknowledges before it delivers, so that a new subscriber
may get one as retained and as fresh, and keeps the subscriptions of a client that broke off until it notices.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path

import pytest

from reconciler.errors import BrokerError
from reconciler.transport.base import Publish, PublishResult, Will
from tests.support.conditions import until
from tests.support.transport_recorder import PATIENCE_S
from tests.support.transport_sites import BIG, Meet, Site


async def test_a_will_is_published_when_a_client_vanishes(site: Site, meet: Meet, root: str) -> None:
    _, recorder = await meet("recorder", f"{root}/+")
    vanishing, _ = await meet("vanishing", will=Will(f"{root}/will", b"gone", retain=True))

    await site.cut(vanishing)
    await recorder.received()
    _, late = await meet("late", f"{root}/+")

    assert recorder.payloads == [b"gone"]
    assert (await late.received())[0].payload == b"gone"


async def test_no_will_is_published_when_a_client_disconnects(meet: Meet, root: str) -> None:
    publisher, recorder = await meet("sender", f"{root}/+")
    # Subscribed, so that amqtt has started to watch it: from one that leaves before, amqtt publishes the will.
    leaving, _ = await meet("leaving", f"{root}/leaving", will=Will(f"{root}/will", b"gone"))

    await leaving.close()
    await asyncio.sleep(0.05)
    await publisher.publish(Publish(f"{root}/after", b"after"))

    assert [message.payload for message in await recorder.received()] == [b"after"]


async def test_nothing_is_published_while_disconnected_nor_later(site: Site, meet: Meet, root: str) -> None:
    _, recorder = await meet("recorder", f"{root}/+")
    publisher, publisher_recorder = await meet("sender")
    await site.cut(publisher)
    await publisher_recorder.lost()

    with pytest.raises(BrokerError, match="not connected"):
        await publisher.publish(Publish(f"{root}/a", b"late"))
    await site.restore(publisher)
    await publisher_recorder.back()
    await publisher.publish(Publish(f"{root}/b", b"on time"))

    assert [message.payload for message in await recorder.received()] == [b"on time"]


async def test_a_publish_in_flight_when_the_connection_breaks_is_said_to_be_unknown(
    site: Site, meet: Meet, root: str
) -> None:
    publisher, recorder = await meet("sender")
    work = [asyncio.ensure_future(publisher.publish(Publish(f"{root}/a", BIG[:100_000]))) for _ in range(200)]
    await asyncio.sleep(0)

    await site.cut(publisher)
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    await recorder.lost()

    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(error, BrokerError) for error in errors)
    assert all("unknown" in str(error) or "not sent" in str(error) for error in errors)


async def test_nothing_is_posted_while_disconnected_nor_later(site: Site, meet: Meet, root: str) -> None:
    _, recorder = await meet("recorder", f"{root}/+")
    publisher, publisher_recorder = await meet("sender")
    ends: list[PublishResult | BrokerError] = []
    await site.cut(publisher)
    await publisher_recorder.lost()

    with pytest.raises(BrokerError, match="not connected"):
        publisher.post(Publish(f"{root}/a", b"late"), on_done=ends.append)
    await site.restore(publisher)
    await publisher_recorder.back()
    publisher.post(Publish(f"{root}/b", b"on time"), on_done=ends.append)

    assert [message.payload for message in await recorder.received()] == [b"on time"]
    await until(lambda: ends)
    assert [type(end) for end in ends] == [PublishResult]


async def test_each_post_gets_its_result_when_the_connection_breaks(
    site: Site, meet: Meet, root: str
) -> None:
    publisher, recorder = await meet("sender")
    ends: list[PublishResult | BrokerError] = []
    for _ in range(200):
        publisher.post(Publish(f"{root}/a", BIG[:100_000]), on_done=ends.append)

    await site.cut(publisher)
    await recorder.lost()
    await asyncio.sleep(0)

    assert len(ends) == 200
    errors = [str(end) for end in ends if isinstance(end, BrokerError)]
    assert all("unknown" in error or "not sent" in error for error in errors)


async def test_subscriptions_are_made_again_before_the_return_is_reported(
    site: Site, meet: Meet, root: str
) -> None:
    publisher, present = await meet("sender", f"{root}/state")
    await publisher.publish(Publish(f"{root}/state", b"x", retain=True))
    await present.received()
    transport, recorder = await meet("recorder", f"{root}/state", f"{root}/live")
    await recorder.received()

    await site.cut(transport)
    await recorder.lost()
    await site.restore(transport)
    await recorder.back()
    await publisher.publish(Publish(f"{root}/live", b"y"))
    await recorder.until(lambda: f"{root}/live" in recorder.events)

    assert [events for events, _ in groupby(recorder.events)] == [
        "connected",
        f"{root}/state",
        "lost",
        "connected",
        f"{root}/state",
        f"{root}/live",
    ]


async def test_connected_is_true_between_the_reports(site: Site, meet: Meet) -> None:
    transport, recorder = await meet("one")
    seen: list[bool] = [transport.connected]
    transport.on_connection(lambda connected, _reason: seen.append(transport.connected is connected))

    await site.cut(transport)
    await recorder.lost()
    await site.restore(transport)
    await recorder.back()

    assert seen == [True, True, True]


async def test_a_second_client_with_the_same_id_evicts_the_first(site: Site, meet: Meet) -> None:
    if not site.evicts:
        pytest.skip("amqtt lets both stay")
    first, recorder = await meet("same")
    await meet("same")

    reason = await recorder.lost()
    await first.close()

    assert "another client" in reason or "closed the connection" in reason


async def test_before_connecting_nothing_goes(site: Site, root: str) -> None:
    transport = await site.transport("idle")

    assert not transport.connected
    with pytest.raises(BrokerError, match="not connected"):
        await transport.publish(Publish(f"{root}/a", b"x"))
    with pytest.raises(BrokerError, match="not connected"):
        await transport.subscribe([f"{root}/a"])
    await transport.close()


async def test_connecting_and_closing_twice_changes_nothing(meet: Meet) -> None:
    transport, recorder = await meet("one")

    await transport.connect()
    await transport.close()
    await transport.close()

    assert [connected for connected, _ in recorder.connection] == [True]


async def test_a_closed_transport_can_be_connected_again(meet: Meet, root: str) -> None:
    transport, recorder = await meet("one", f"{root}/+")
    await transport.close()

    await transport.connect()
    await transport.publish(Publish(f"{root}/a", b"x"))

    assert [message.payload for message in await recorder.received()] == [b"x"]


async def test_close_leaves_neither_task_nor_file_behind(site: Site, meet: Meet, root: str) -> None:
    await meet("warm-up")
    before = _held()
    transport = await site.transport(f"{root[:14]}-brief")
    await transport.connect()
    await transport.subscribe([f"{root}/#"])
    await transport.publish(Publish(f"{root}/a", b"x"))

    await transport.close()
    await site.cut(transport)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while _held() != before:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def _held() -> tuple[set[asyncio.Task[object]], int]:
    """Tasks and open files of this process."""
    return asyncio.all_tasks(), sum(1 for _ in Path("/proc/self/fd").iterdir())
