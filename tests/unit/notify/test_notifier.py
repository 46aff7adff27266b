"""Events are published once, in the given payload, and nothing is lost while the broker is away."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from reconciler.errors import BrokerError
from reconciler.model.change import Action, Change, FieldChange, Op, Plan, Reason, Step
from reconciler.model.report import ChangeResult, Event, EventKind, Level, Outcome, StepResult, SyncReport
from reconciler.model.spec import Key
from reconciler.notify.notifier import Notifier
from reconciler.settings.model import NotificationSettings
from reconciler.store.sqlite import open_store

BLOCKED = Event(EventKind.BLOCKED, Level.WARNING, "btc is left as it is", subject="default/btc:NOT_OURS")
STARTED = Event(EventKind.SYNC_STARTED, Level.INFO, "Sync started")


class Channels:
    """Takes what is published, or refuses it as a lost broker does."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, str]]] = []
        self.away = False

    async def publish(self, target: str, channel: str, payload: bytes) -> None:
        if self.away:
            raise BrokerError("not connected")
        self.sent.append((target, channel, json.loads(payload)))

    @property
    def messages(self) -> list[str]:
        return [payload["message"] for _, channel, payload in self.sent if channel == "telegram"]


@pytest.fixture
def channels():
    return Channels()


@pytest.fixture
def store():
    store = open_store(":memory:")
    yield store
    store.close()


class Prompt(Notifier):
    """Waits until all is sent, so that a test can look."""

    async def notify(self, events) -> None:
        await super().notify(events)
        await self.close()


@pytest.fixture
def notifier(channels, store):
    return Prompt(channels.publish, store, NotificationSettings(), default_target="default")


async def test_each_channel_gets_exactly_the_given_payload(notifier, channels) -> None:
    await notifier.notify([STARTED])

    assert [channel for _, channel, _ in channels.sent] == ["telegram", "discord"]
    payload = channels.sent[0][2]
    assert list(payload) == ["message", "level", "timestamp"]
    assert (payload["message"], payload["level"]) == ("Sync started", "INFO")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", payload["timestamp"])


async def test_what_stays_broken_is_reported_once(notifier, channels) -> None:
    await notifier.notify_standing(EventKind.BLOCKED, [BLOCKED])
    await notifier.notify_standing(EventKind.BLOCKED, [BLOCKED])

    assert channels.messages == ["btc is left as it is"]


async def test_what_broke_again_after_it_was_repaired_is_reported_again(notifier, channels) -> None:
    await notifier.notify_standing(EventKind.BLOCKED, [BLOCKED])
    await notifier.notify_standing(EventKind.BLOCKED, [])
    await notifier.notify_standing(EventKind.BLOCKED, [BLOCKED])

    assert len(channels.messages) == 2


async def test_a_restart_does_not_report_it_again(channels, store) -> None:
    for _ in range(2):
        notifier = Prompt(channels.publish, store, NotificationSettings(), default_target="default")
        await notifier.notify_standing(EventKind.BLOCKED, [BLOCKED])

    assert len(channels.messages) == 1


async def test_one_kind_does_not_forget_another(notifier, channels) -> None:
    failed = Event(EventKind.FAILED, Level.ERROR, "btc: start failed", subject="default/btc:start")

    await notifier.notify_standing(EventKind.BLOCKED, [BLOCKED])
    await notifier.notify([failed])
    await notifier.notify_standing(EventKind.BLOCKED, [])
    await notifier.notify([failed])

    assert channels.messages == ["btc is left as it is", "btc: start failed"]


async def test_what_cannot_be_delivered_waits_and_keeps_its_order(notifier, channels) -> None:
    channels.away = True
    await notifier.notify([STARTED, BLOCKED])
    channels.away = False
    await notifier.notify([Event(EventKind.BROKER_BACK, Level.INFO, "Broker is back")])

    assert channels.messages == ["Sync started", "btc is left as it is", "Broker is back"]


async def test_a_recovery_is_reported_only_if_the_loss_was(notifier, channels) -> None:
    lost = Event(EventKind.SOURCE_LOST, Level.ERROR, "Git: out of reach", subject="git")
    back = Event(EventKind.SOURCE_BACK, Level.INFO, "Git can be read again")

    await notifier.notify_solved(EventKind.SOURCE_LOST, "git", back)
    await notifier.notify([lost])
    await notifier.notify_solved(EventKind.SOURCE_LOST, "git", back)
    await notifier.notify_solved(EventKind.SOURCE_LOST, "git", back)

    assert channels.messages == ["Git: out of reach", "Git can be read again"]


async def test_events_below_the_level_are_not_sent(channels, store) -> None:
    settings = NotificationSettings(level="WARNING", channels=("telegram",))
    notifier = Prompt(channels.publish, store, settings, default_target="default")

    await notifier.notify([STARTED, BLOCKED])

    assert channels.messages == ["btc is left as it is"]


async def test_an_event_of_a_strategy_goes_to_its_own_target(notifier, channels) -> None:
    await notifier.notify([Event(EventKind.CHANGED, Level.INFO, "eu/btc started", key=Key("eu", "btc"))])

    assert {target for target, _, _ in channels.sent} == {"eu"}


async def test_two_that_publish_at_once_send_each_message_once_and_in_order(store) -> None:
    sent: list[bytes] = []

    async def slowly(target: str, channel: str, payload: bytes) -> None:
        await asyncio.sleep(0)
        sent.append(payload)

    notifier = Prompt(slowly, store, NotificationSettings(channels=("telegram",)), default_target="default")
    first, second = (Event(EventKind.SYNC_STARTED, Level.INFO, text) for text in ("first", "second"))

    await asyncio.gather(notifier.notify([first]), notifier.notify([second]))

    assert [json.loads(payload)["message"] for payload in sent] == ["first", "second"]


def ended(outcome: Outcome) -> SyncReport:
    step = StepResult(Op.UPDATE, outcome, 1, message="no answer")
    field = FieldChange("config.bid_spread", 1, 2)
    steps = (Step(Op.UPDATE),)
    change = Change("default", "btc", Action.UPDATE, Reason.DRIFTED, steps=steps, fields=(field,))
    return SyncReport(Plan("9f3c2ab0", "main", (change,), 0), (ChangeResult(change, outcome, (step,)),))


async def test_a_sync_that_is_tried_again_and_ends_no_better_is_reported_once(notifier, channels) -> None:
    for _ in range(3):
        report = ended(Outcome.UNKNOWN)
        await notifier.sync_started(report.plan, refused="", whole=True)
        await notifier.sync_finished(report, whole=True)

    assert channels.messages == [
        "Sync of 9f3c2ab started: 1 to update",
        "btc differs from Git: config.bid_spread",
        "btc: update unknown: no answer",
        "Sync of 9f3c2ab finished: 1 unknown",
    ]


async def test_after_a_sync_that_ended_well_the_same_is_news_again(notifier, channels) -> None:
    for outcome in (Outcome.UNKNOWN, Outcome.CONFIRMED, Outcome.CONFIRMED):
        report = ended(outcome)
        await notifier.sync_started(report.plan, refused="", whole=True)
        await notifier.sync_finished(report, whole=True)

    published = channels.messages
    assert published.count("Sync of 9f3c2ab started: 1 to update") == 2
    assert published.count("btc differs from Git: config.bid_spread") == 2
    assert published.count("Sync of 9f3c2ab finished: 1 confirmed") == 2
