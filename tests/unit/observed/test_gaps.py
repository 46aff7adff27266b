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
Told = tuple[str, Any]


class Ear:
    """Hears one agent that holds `a` and `b`: presence 1, statuses 2 and 3, inventory 4, all retained."""

    def __init__(self, *, capabilities: tuple[str, ...] = (NUMBERED,)) -> None:
        self.state = ObservedTarget("default", TOPICS)
        self.state.on_connection(connected=True, now=0.0)
        self.capabilities = capabilities
        for told in (self.presence(1), self.status("a", 2), self.status("b", 3), self.inventory(4, "a", "b")):
            self.hear(told, retain=True)

    def hear(self, told: Told, *, retain: bool = False) -> None:
        topic, body = told
        payload = (
            body if isinstance(body, bytes) else json.dumps({"agent": "a1", "session": "s", **body}).encode()
        )
        self.state.on_message(topic, payload, retain, 1.0)

    def presence(self, seq: int, **more: Any) -> Told:
        body = {"state": "online", "seq": seq, "capabilities": self.capabilities, **more}
        return TOPICS.presence("a1"), body

    def status(self, name: str, seq: int, state: str = "running") -> Told:
        return TOPICS.status_of(name), {"strategy_name": name, "state": state, "seq": seq}

    def inventory(self, seq: int, *names: str) -> Told:
        return TOPICS.inventory("a1"), {"seq": seq, "count": len(names), "digest": inventory_digest(names)}

    @property
    def outdated(self) -> bool:
        return is_outdated(self.state.observe(1.0))

    @property
    def holes(self) -> bool:
        return is_incomplete(self.state.observe(1.0))


def test_a_snapshot_in_any_order_has_no_gap() -> None:
    ear = Ear()
    ear.hear(ear.presence(9), retain=True)
    ear.hear(ear.status("a", 7), retain=True)

    assert not ear.outdated
    assert not ear.holes


def test_what_follows_without_a_gap_is_whole() -> None:
    ear = Ear()
    for told in (ear.presence(5), ear.status("a", 6, "paused"), ear.presence(7)):
        ear.hear(told)

    assert not ear.outdated


@pytest.mark.parametrize("shown_by", ["presence", "status", "inventory"])
def test_a_gap_shows_whatever_comes_next(shown_by: str) -> None:
    ear = Ear()
    ear.hear(
        {"presence": ear.presence(6), "status": ear.status("b", 6), "inventory": ear.inventory(6, "a", "b")}[
            shown_by
        ]
    )

    assert ear.outdated
    assert ear.holes


def test_a_gap_in_the_picture_proves_no_absence() -> None:
    ear = Ear()
    assert ear.state.presence("c", 1.0) is Presence.ABSENT
    ear.hear(ear.presence(6))

    assert ear.state.presence("c", 1.0) is Presence.UNKNOWN


def test_what_comes_twice_or_late_is_no_gap() -> None:
    ear = Ear()
    for seq in (5, 5, 4, 6):
        ear.hear(ear.presence(seq))

    assert not ear.outdated


def test_a_will_has_an_old_number_and_is_no_gap() -> None:
    ear = Ear()
    ear.hear(ear.presence(0, state="offline"))
    ear.hear(ear.presence(5))

    assert not ear.outdated


def test_an_agent_that_was_silent_has_its_gap_all_the_same() -> None:
    ear = Ear()
    ear.state.tick(1000.0)
    ear.hear(ear.presence(6))

    assert ear.outdated


def test_a_new_session_begins_to_count_anew() -> None:
    ear = Ear()
    ear.hear(ear.presence(9, session="t"))

    assert not ear.outdated


def test_an_agent_that_promises_nothing_about_its_numbers_has_no_gaps() -> None:
    ear = Ear(capabilities=())
    ear.hear(ear.presence(60))

    assert not ear.outdated


def test_a_younger_inventory_without_a_name_that_we_hold_says_that_we_missed_its_end() -> None:
    ear = Ear()
    ear.hear(ear.inventory(5, "a"))

    assert ear.outdated


def test_a_status_that_its_inventory_follows_is_no_such_thing() -> None:
    ear = Ear()
    ear.hear(ear.status("c", 5))
    assert not ear.outdated
    ear.hear(ear.inventory(6, "a", "b", "c"))

    assert not ear.outdated
    assert not ear.holes


def test_starting_over_believes_only_what_is_told_from_then_on() -> None:
    ear = Ear()
    ear.hear(ear.presence(6))

    fold = ear.state.start_over()

    assert set(fold.changed) == {"a", "b"}
    assert ear.state.believed("a") is None
    for told in (
        ear.presence(6),
        ear.status("a", 5, "stopped"),
        ear.status("b", 3),
        ear.inventory(4, "a", "b"),
    ):
        ear.hear(told, retain=True)
    assert not ear.outdated
    assert not ear.holes
