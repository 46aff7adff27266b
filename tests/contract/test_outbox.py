"""How an agent's messages leave: over an in-process hub, whose line can be cut."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.agent.outbox import Debouncer, Outbox, OutgoingMessage, RateLimit
from reconciler.transport.base import ClientIdentity, Publish
from reconciler.transport.memory import Hub, MemoryTransport
from tests.support.conditions import until


async def line() -> tuple[MemoryTransport, list[str]]:
    """A transport, and the topics that another one receives of it."""
    hub = Hub()
    received: list[str] = []
    subscriber, publisher = (
        MemoryTransport(hub, ClientIdentity("subscriber")),
        MemoryTransport(hub, ClientIdentity("publisher")),
    )
    subscriber.on_message(lambda message: received.append(message.topic))
    for transport in (subscriber, publisher):
        await transport.connect()
    await subscriber.subscribe(["#"])
    return publisher, received


async def test_messages_leave_in_the_order_in_which_they_are_put() -> None:
    publisher, received = await line()
    outbox = Outbox(publisher, on_lost=lambda _: None)

    for number in range(1_000):
        assert outbox.put(OutgoingMessage(f"t/{number}", b""))
    await outbox.empty(10.0)

    await until(lambda: len(received) == 1_000)
    assert received == [f"t/{number}" for number in range(1_000)]


async def test_a_message_without_a_connection_is_lost_at_once_and_reported_once() -> None:
    publisher, received = await line()
    lost: list[OutgoingMessage] = []
    outbox = Outbox(publisher, lost.append)
    publisher.drop()

    assert not outbox.put(OutgoingMessage("t", b"", about="mm"))
    publisher.restore()
    await outbox.empty(10.0)

    assert [message.about for message in lost] == ["mm"]
    assert received == []


async def test_an_outbox_that_was_never_used_is_empty() -> None:
    publisher, _ = await line()

    await Outbox(publisher, on_lost=lambda _: None).empty(0.0)


class Deaf(MemoryTransport):
    """A line on which the broker acknowledges nothing."""

    def post(self, message: Publish, **_: object) -> None:
        del message


async def test_waiting_for_a_broker_that_does_not_answer_ends() -> None:
    outbox = Outbox(Deaf(Hub(), ClientIdentity("publisher")), on_lost=lambda _: None)
    outbox.put(OutgoingMessage("t", b""))

    with pytest.raises(TimeoutError):
        await outbox.empty(0.01)


async def test_a_burst_is_one_act() -> None:
    acts: list[float] = []
    clock = asyncio.get_running_loop().time
    soon = Debouncer(lambda: acts.append(clock()), quiet_s=0.05, longest_s=60.0)

    for _ in range(5):
        soon.call()
        await asyncio.sleep(0)
    asked = clock()
    await until(lambda: acts)
    await asyncio.sleep(0.1)

    assert len(acts) == 1
    assert acts[0] - asked >= 0.05 - 0.01  # the clock of the loop is read before and after


async def test_a_burst_that_does_not_end_is_interrupted() -> None:
    acts: list[None] = []
    soon = Debouncer(lambda: acts.append(None), quiet_s=60.0, longest_s=0.05)

    soon.call()
    await until(lambda: acts)

    assert len(acts) == 1


async def test_after_an_act_the_next_burst_is_another() -> None:
    acts: list[None] = []
    soon = Debouncer(lambda: acts.append(None), quiet_s=0.01, longest_s=0.05)

    soon.call()
    await until(lambda: len(acts) == 1)
    soon.call()
    await until(lambda: len(acts) == 2)


async def test_what_was_cancelled_does_not_act() -> None:
    acts: list[None] = []
    soon = Debouncer(lambda: acts.append(None), quiet_s=0.01, longest_s=0.05)

    soon.call()
    soon.cancel()
    await asyncio.sleep(0.05)

    assert acts == []


def test_an_allowance_grants_so_many_a_second_and_counts_the_others() -> None:
    allowance = RateLimit(per_s=2.0)

    granted = [allowance.grants(now) for now in (0.0, 0.0, 0.0, 0.5, 0.5, 10.0, 10.0, 10.0)]

    assert granted == [True, True, False, True, False, True, True, False]
    assert allowance.refused == 3
