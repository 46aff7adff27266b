from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reconciler.errors import BrokerError
from reconciler.transport.base import OnDone, Publish, PublishResult
from reconciler.transport.mqtt.inflight import InflightMessage, InflightWindow

Outcome = PublishResult | BrokerError


class Shop:
    """A window, what it sent, and a clock to turn."""

    def __init__(self, limit: int = 2) -> None:
        self.now = 0.0
        self.sent: list[tuple[Publish, int]] = []
        self.foreign: set[int] = set()
        self.fails = False
        self._ids = 0
        self.window = InflightWindow(
            self._send, new_id=self._id, in_use=self.foreign.__contains__, clock=lambda: self.now
        )
        self.window.limit = limit

    def _send(self, message: Publish, packet_id: int) -> None:
        if self.fails:
            raise BrokerError("the connection is closed")
        self.sent.append((message, packet_id))

    def _id(self) -> int:
        self._ids = self._ids % 65_535 + 1
        return self._ids

    def put(self, name: str, on_done: OnDone | None = None, timeout_s: float = 10.0) -> InflightMessage:
        inflight = InflightMessage(Publish(name, b""), on_done, timeout_s)
        self.window.put(inflight)
        return inflight

    def topics(self) -> list[str]:
        return [message.topic for message, _ in self.sent]


def test_no_more_than_the_limit_are_in_flight_and_the_others_follow_in_order() -> None:
    shop = Shop(limit=2)
    first, *_ = [shop.put(name) for name in "abcd"]
    assert shop.topics() == ["a", "b"]

    shop.window.acknowledged(first.packet_id)

    assert shop.topics() == ["a", "b", "c"]


def test_nothing_overtakes_what_waits() -> None:
    shop = Shop(limit=1)
    first = shop.put("a")
    shop.put("b")
    shop.window.limit = 3

    shop.put("c")
    shop.window.acknowledged(first.packet_id)

    assert shop.topics() == ["a", "b", "c"]


def test_an_id_that_waits_for_an_answer_is_not_given_again() -> None:
    shop = Shop(limit=5)
    shop.foreign.update({2, 3})

    ids = [shop.put(name).packet_id for name in "abc"]

    assert ids == [1, 4, 5]


def test_an_acknowledgement_counts_once_and_one_that_nobody_waits_for_not_at_all() -> None:
    shop = Shop()
    inflight = shop.put("a")

    assert shop.window.acknowledged(inflight.packet_id) is inflight
    assert shop.window.acknowledged(inflight.packet_id) is None
    assert shop.window.acknowledged(999) is None


def test_giving_up_says_whether_it_was_sent_and_makes_no_room_if_it_was() -> None:
    shop = Shop(limit=1)
    sent, waiting, next_ = (shop.put(name) for name in "abc")

    assert "arrived is unknown" in str(shop.window.give_up(sent, "no answer"))
    assert "was not sent" in str(shop.window.give_up(waiting, "no answer"))
    assert shop.topics() == ["a"]

    shop.window.acknowledged(sent.packet_id)
    assert shop.topics() == ["a", "c"]
    assert next_.packet_id


def test_a_silent_broker_ends_those_whose_time_is_over_and_those_behind_them() -> None:
    shop, ends = Shop(limit=1), list[str]()
    for name, timeout_s in (("a", 1.0), ("b", 1.0), ("c", 9.0)):
        shop.put(name, on_done=lambda outcome: ends.append(str(outcome)), timeout_s=timeout_s)

    shop.now = 1.5
    shop.window.expire("no answer")

    assert ends == [
        "no answer; whether the message arrived is unknown",
        "no answer; the message was not sent",
    ]


def test_a_slow_broker_is_given_time() -> None:
    shop, ends = Shop(limit=1), list[Outcome]()
    first = shop.put("a", timeout_s=1.0)
    second = shop.put("b", on_done=ends.append, timeout_s=1.0)

    shop.now = 0.9
    shop.window.acknowledged(first.packet_id)
    shop.now = 1.8
    shop.window.expire("no answer")

    assert ends == []
    assert second.packet_id


def test_the_end_of_the_connection_ends_everything() -> None:
    shop, ends = Shop(limit=1), list[str]()
    for name in "ab":
        shop.put(name, on_done=lambda outcome: ends.append(str(outcome)))

    shop.window.close("the connection broke")
    shop.window.close("the connection broke")

    assert ends == [
        "the connection broke; whether the message arrived is unknown",
        "the connection broke; the message was not sent",
    ]


def test_what_cannot_be_sent_says_so_and_takes_no_room() -> None:
    shop, ends = Shop(limit=1), list[Outcome]()
    shop.fails = True
    shop.put("a", on_done=ends.append)
    shop.fails = False

    shop.put("b")

    assert [type(end) for end in ends] == [BrokerError]
    assert shop.topics() == ["b"]


async def test_a_listener_that_fails_harms_nobody_but_itself() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    shop, ends = Shop(limit=2), list[Outcome]()

    def fail(outcome: Outcome) -> None:
        raise RuntimeError(outcome)

    shop.put("a", on_done=fail)
    shop.put("b", on_done=ends.append)
    shop.window.close("over")

    assert len(ends) == 1
    assert [type(context["exception"]) for context in told] == [RuntimeError]


class Windows(RuleBasedStateMachine):
    """Whatever happens, each message has one end, and no more than the limit are in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(limit=3)
        self.messages: list[InflightMessage] = []
        self.ends: Counter[str] = Counter()
        self.open: set[int] = set()
        self.given_up: set[str] = set()

    @rule(timeout_s=st.floats(0.1, 5.0))
    def put(self, timeout_s: float) -> None:
        name = f"m{len(self.messages)}"
        self.messages.append(
            self.shop.put(name, on_done=lambda _: self.ends.update([name]), timeout_s=timeout_s)
        )

    def in_flight(self) -> set[int]:
        return {packet_id for _, packet_id in self.shop.sent} - self.open

    @precondition(lambda self: self.in_flight())
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.in_flight())))
        self.open.add(packet_id)
        inflight = self.shop.window.acknowledged(packet_id)
        assert inflight is not None
        inflight.end(PublishResult())

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        inflight = data.draw(st.sampled_from(self.messages))
        if inflight.on_done is not None:
            self.given_up.add(inflight.message.topic)
            self.shop.window.give_up(inflight, "no answer")

    @rule(passed_s=st.floats(0.0, 3.0))
    def wait(self, passed_s: float) -> None:
        self.shop.now += passed_s
        self.shop.window.expire("no answer")

    @invariant()
    def no_more_than_the_limit_are_in_flight(self) -> None:
        assert len(self.in_flight()) <= 3

    @invariant()
    def each_left_in_its_order(self) -> None:
        numbers = [int(topic[1:]) for topic in self.shop.topics()]
        assert numbers == sorted(numbers)

    def teardown(self) -> None:
        self.shop.window.close("over")
        for inflight in self.messages:
            assert self.ends[inflight.message.topic] == (inflight.message.topic not in self.given_up), (
                inflight
            )


TestWindows = Windows.TestCase


@pytest.mark.parametrize("limit", [1, 100])
def test_a_thousand_pass_one_after_the_other(limit: int) -> None:
    shop = Shop(limit=limit)
    messages = [shop.put(str(number)) for number in range(1_000)]

    for inflight in messages:
        assert shop.window.acknowledged(inflight.packet_id) is inflight

    assert shop.topics() == [str(number) for number in range(1_000)]
