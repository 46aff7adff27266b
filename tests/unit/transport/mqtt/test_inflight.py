from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reconciler.errors import BrokerError
from reconciler.transport.base import OnDone, Publish, PublishResult
from reconciler.transport.mqtt.inflight import InflightMessage, InflightWindow

Outcome = PublishResult | BrokerError


class WindowHarness:
    """A window, what it sent, and a clock to turn."""

    def __init__(self, limit: int = 2) -> None:
        self.now = 0.0
        self.sent: list[tuple[Publish, int]] = []
        self.foreign: set[int] = set()
        self.errors: list[BaseException] = []
        self.fails = False
        self._ids = 0
        self.window = InflightWindow(
            self._send,
            new_id=self._id,
            in_use=self.foreign.__contains__,
            clock=lambda: self.now,
            on_error=lambda error, _what: self.errors.append(error),
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
    harness = WindowHarness(limit=2)
    first, *_ = [harness.put(name) for name in "abcd"]
    assert harness.topics() == ["a", "b"]

    harness.window.acknowledged(first.packet_id)

    assert harness.topics() == ["a", "b", "c"]


def test_nothing_overtakes_what_waits() -> None:
    harness = WindowHarness(limit=1)
    first = harness.put("a")
    harness.put("b")
    harness.window.limit = 3

    harness.put("c")
    harness.window.acknowledged(first.packet_id)

    assert harness.topics() == ["a", "b", "c"]


def test_an_id_that_waits_for_an_answer_is_not_given_again() -> None:
    harness = WindowHarness(limit=5)
    harness.foreign.update({2, 3})

    ids = [harness.put(name).packet_id for name in "abc"]

    assert ids == [1, 4, 5]


def test_an_acknowledgement_counts_once_and_one_that_nobody_waits_for_not_at_all() -> None:
    harness = WindowHarness()
    inflight = harness.put("a")

    assert harness.window.acknowledged(inflight.packet_id) is inflight
    assert harness.window.acknowledged(inflight.packet_id) is None
    assert harness.window.acknowledged(999) is None


def test_giving_up_says_whether_it_was_sent_and_makes_no_room_if_it_was() -> None:
    harness = WindowHarness(limit=1)
    sent, waiting, next_ = (harness.put(name) for name in "abc")

    assert "arrived is unknown" in str(harness.window.give_up(sent, "no answer"))
    assert "was not sent" in str(harness.window.give_up(waiting, "no answer"))
    assert harness.topics() == ["a"]

    harness.window.acknowledged(sent.packet_id)
    assert harness.topics() == ["a", "c"]
    assert next_.packet_id


def test_a_silent_broker_ends_those_whose_time_is_over_and_those_behind_them() -> None:
    harness, ends = WindowHarness(limit=1), list[str]()
    for name, timeout_s in (("a", 1.0), ("b", 1.0), ("c", 9.0)):
        harness.put(name, on_done=lambda outcome: ends.append(str(outcome)), timeout_s=timeout_s)

    harness.now = 1.5
    harness.window.expire("no answer")

    assert ends == [
        "no answer; whether the message arrived is unknown",
        "no answer; the message was not sent",
    ]


def test_a_slow_broker_is_given_time() -> None:
    harness, ends = WindowHarness(limit=1), list[Outcome]()
    first = harness.put("a", timeout_s=1.0)
    second = harness.put("b", on_done=ends.append, timeout_s=1.0)

    harness.now = 0.9
    harness.window.acknowledged(first.packet_id)
    harness.now = 1.8
    harness.window.expire("no answer")

    assert ends == []
    assert second.packet_id


def test_the_end_of_the_connection_ends_everything() -> None:
    harness, ends = WindowHarness(limit=1), list[str]()
    for name in "ab":
        harness.put(name, on_done=lambda outcome: ends.append(str(outcome)))

    harness.window.close("the connection broke")
    harness.window.close("the connection broke")

    assert ends == [
        "the connection broke; whether the message arrived is unknown",
        "the connection broke; the message was not sent",
    ]


def test_what_cannot_be_sent_says_so_and_takes_no_room() -> None:
    harness, ends = WindowHarness(limit=1), list[Outcome]()
    harness.fails = True
    harness.put("a", on_done=ends.append)
    harness.fails = False

    harness.put("b")

    assert [type(end) for end in ends] == [BrokerError]
    assert harness.topics() == ["b"]


def test_a_listener_that_fails_affects_nothing_else() -> None:
    harness, ends = WindowHarness(limit=2), list[Outcome]()

    def fail(outcome: Outcome) -> None:
        raise RuntimeError(outcome)

    harness.put("a", on_done=fail)
    harness.put("b", on_done=ends.append)
    harness.window.close("over")

    assert len(ends) == 1
    assert [type(error) for error in harness.errors] == [RuntimeError]


class Windows(RuleBasedStateMachine):
    """Whatever happens, each message has one end, and no more than the limit are in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.harness = WindowHarness(limit=3)
        self.messages: list[InflightMessage] = []
        self.ends: Counter[str] = Counter()
        self.open: set[int] = set()
        self.given_up: set[str] = set()

    @rule(timeout_s=st.floats(0.1, 5.0))
    def put(self, timeout_s: float) -> None:
        name = f"m{len(self.messages)}"
        self.messages.append(
            self.harness.put(name, on_done=lambda _: self.ends.update([name]), timeout_s=timeout_s)
        )

    def in_flight(self) -> set[int]:
        return {packet_id for _, packet_id in self.harness.sent} - self.open

    @precondition(lambda self: self.in_flight())
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.in_flight())))
        self.open.add(packet_id)
        inflight = self.harness.window.acknowledged(packet_id)
        assert inflight is not None
        inflight.end(PublishResult(), lambda _error, _what: None)

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        inflight = data.draw(st.sampled_from(self.messages))
        if inflight.on_done is not None:
            self.given_up.add(inflight.message.topic)
            self.harness.window.give_up(inflight, "no answer")

    @rule(passed_s=st.floats(0.0, 3.0))
    def wait(self, passed_s: float) -> None:
        self.harness.now += passed_s
        self.harness.window.expire("no answer")

    @invariant()
    def no_more_than_the_limit_are_in_flight(self) -> None:
        assert len(self.in_flight()) <= 3

    @invariant()
    def each_left_in_its_order(self) -> None:
        numbers = [int(topic[1:]) for topic in self.harness.topics()]
        assert numbers == sorted(numbers)

    def teardown(self) -> None:
        self.harness.window.close("over")
        for inflight in self.messages:
            assert self.ends[inflight.message.topic] == (inflight.message.topic not in self.given_up), (
                inflight
            )


TestWindows = Windows.TestCase


@pytest.mark.parametrize("limit", [1, 100])
def test_a_thousand_pass_one_after_the_other(limit: int) -> None:
    harness = WindowHarness(limit=limit)
    messages = [harness.put(str(number)) for number in range(1_000)]

    for inflight in messages:
        assert harness.window.acknowledged(inflight.packet_id) is inflight

    assert harness.topics() == [str(number) for number in range(1_000)]
