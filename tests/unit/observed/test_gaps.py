"""An agent that numbers all that it tells shows by a gap that something was lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.fleet.target import is_incomplete, is_outdated
from reconciler.model.state import Presence
from reconciler.observed.agent import NUMBERED
from reconciler.observed.target import ObservedTarget
from reconciler.protocol.canonical import inventory_digest
from reconciler.protocol.topics import Topics

TOPICS = Topics("hummingbot")
Sent = tuple[str, Any]


class AgentFeed:
    """Receives from one agent that holds `a` and `b`: presence 1, statuses 2 and 3, inventory 4, all retained."""

    def __init__(self, *, capabilities: tuple[str, ...] = (NUMBERED,)) -> None:
        self.state = ObservedTarget("default", TOPICS)
        self.state.on_connection(connected=True, now=0.0)
        self.capabilities = capabilities
        for message in (
            self.presence(1),
            self.status("a", 2),
            self.status("b", 3),
            self.inventory(4, "a", "b"),
        ):
            self.receive(message, retain=True)

    def receive(self, message: Sent, *, retain: bool = False) -> None:
        topic, body = message
        payload = (
            body if isinstance(body, bytes) else json.dumps({"agent": "a1", "session": "s", **body}).encode()
        )
        self.state.on_message(topic, payload, retain, 1.0)

    def presence(self, seq: int, **more: Any) -> Sent:
        body = {"state": "online", "seq": seq, "capabilities": self.capabilities, **more}
        return TOPICS.presence("a1"), body

    def status(self, name: str, seq: int, state: str = "running") -> Sent:
        return TOPICS.status_of(name), {"strategy_name": name, "state": state, "seq": seq}

    def inventory(self, seq: int, *names: str) -> Sent:
        return TOPICS.inventory("a1"), {"seq": seq, "count": len(names), "digest": inventory_digest(names)}

    @property
    def outdated(self) -> bool:
        return is_outdated(self.state.observe(1.0))

    @property
    def holes(self) -> bool:
        return is_incomplete(self.state.observe(1.0))


def test_a_snapshot_in_any_order_has_no_gap() -> None:
    feed = AgentFeed()
    feed.receive(feed.presence(9), retain=True)
    feed.receive(feed.status("a", 7), retain=True)

    assert not feed.outdated
    assert not feed.holes


def test_what_follows_without_a_gap_is_whole() -> None:
    feed = AgentFeed()
    for message in (feed.presence(5), feed.status("a", 6, "paused"), feed.presence(7)):
        feed.receive(message)

    assert not feed.outdated


@pytest.mark.parametrize("shown_by", ["presence", "status", "inventory"])
def test_a_gap_shows_whatever_comes_next(shown_by: str) -> None:
    feed = AgentFeed()
    feed.receive(
        {
            "presence": feed.presence(6),
            "status": feed.status("b", 6),
            "inventory": feed.inventory(6, "a", "b"),
        }[shown_by]
    )

    assert feed.outdated
    assert feed.holes


def test_a_gap_in_the_picture_proves_no_absence() -> None:
    feed = AgentFeed()
    assert feed.state.presence("c", 1.0) is Presence.ABSENT
    feed.receive(feed.presence(6))

    assert feed.state.presence("c", 1.0) is Presence.UNKNOWN


def test_what_comes_twice_or_late_is_no_gap() -> None:
    feed = AgentFeed()
    for seq in (5, 5, 4, 6):
        feed.receive(feed.presence(seq))

    assert not feed.outdated


def test_a_will_has_an_old_number_and_is_no_gap() -> None:
    feed = AgentFeed()
    feed.receive(feed.presence(0, state="offline"))
    feed.receive(feed.presence(5))

    assert not feed.outdated


def test_an_agent_that_was_silent_has_its_gap_all_the_same() -> None:
    feed = AgentFeed()
    feed.state.tick(1000.0)
    feed.receive(feed.presence(6))

    assert feed.outdated


def test_a_new_session_begins_to_count_again() -> None:
    feed = AgentFeed()
    feed.receive(feed.presence(9, session="t"))

    assert not feed.outdated


def test_an_agent_that_promises_nothing_about_its_numbers_has_no_gaps() -> None:
    feed = AgentFeed(capabilities=())
    feed.receive(feed.presence(60))

    assert not feed.outdated


def test_a_younger_inventory_without_a_name_that_we_hold_says_that_we_missed_its_end() -> None:
    feed = AgentFeed()
    feed.receive(feed.inventory(5, "a"))

    assert feed.outdated


def test_a_status_that_its_inventory_follows_is_no_such_thing() -> None:
    feed = AgentFeed()
    feed.receive(feed.status("c", 5))
    assert not feed.outdated
    feed.receive(feed.inventory(6, "a", "b", "c"))

    assert not feed.outdated
    assert not feed.holes


def test_starting_over_believes_only_what_is_received_from_then_on() -> None:
    feed = AgentFeed()
    feed.receive(feed.presence(6))

    fold = feed.state.start_over()

    assert set(fold.changed) == {"a", "b"}
    assert feed.state.believed("a") is None
    for message in (
        feed.presence(6),
        feed.status("a", 5, "stopped"),
        feed.status("b", 3),
        feed.inventory(4, "a", "b"),
    ):
        feed.receive(message, retain=True)
    assert not feed.outdated
    assert not feed.holes
