"""Publishes events to the channels; one that stands is reported once, until it is over.

What cannot be delivered now (broker away) waits in memory, at most `BACKLOG` messages, oldest dropped first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from reconciler.errors import BrokerError
from reconciler.model.change import Plan
from reconciler.model.report import Event, EventKind, Level, SyncReport
from reconciler.notify.events import (
    OF_A_SYNC,
    blocked_events,
    ended_well,
    finished_events,
    refused_event,
    started_events,
)
from reconciler.protocol.messages import Notification, encode
from reconciler.settings.model import NotificationSettings
from reconciler.store.base import Store

BACKLOG = 1000
"""Messages that wait for a lost broker: a day's worth, and some 200 KiB."""

_GRAVITY = {level: number for number, level in enumerate(Level)}

PublishNotification = Callable[[str, str, bytes], Awaitable[None]]
"""(target, channel, payload) → sent, or BrokerError."""

log = logging.getLogger("reconciler")


class Notifier:
    """One event, one message to each channel; an event with a `subject` only once until it is solved."""

    def __init__(
        self,
        publish: PublishNotification,
        store: Store,
        settings: NotificationSettings,
        *,
        default_target: str,
    ) -> None:
        self._publish = publish
        self._store = store
        self._settings = settings
        self._default_target = default_target
        self._sending: asyncio.Future[None] | None = None
        self._waiting: deque[tuple[str, str, bytes]] = deque(maxlen=BACKLOG)
        self._one_sender = asyncio.Lock()

    async def notify(self, events: Iterable[Event]) -> None:
        """Log and publish `events`, leaving out what was reported before and still stands."""
        for event in events:
            if event.subject and not self._store.report_once(_mark(event.kind, event.subject)):
                continue
            log.log(logging.getLevelName(event.level.value), event.message)
            if _GRAVITY[event.level] >= _GRAVITY[Level(self._settings.level)]:
                timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                message = Notification(message=event.message, level=event.level.value, timestamp=timestamp)
                target = event.key.target if event.key else self._default_target
                payload = encode(message)
                self._waiting.extend((target, channel, payload) for channel in self._settings.channels)
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.ensure_future(self.flush())  # no bot waits for a chat

    async def close(self, timeout_s: float = 5.0) -> None:
        """Send what can still be sent, at most `timeout_s`."""
        if self._sending is not None:
            await asyncio.wait({self._sending}, timeout=timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.flush()

    async def notify_standing(self, kind: EventKind, events: Iterable[Event]) -> None:
        """`events` are all that stands of `kind` now: publish the new ones, and forget those that are gone."""
        current = list(events)
        self._store.keep_reported(f"{kind}|", {_mark(kind, event.subject) for event in current})
        await self.notify(current)

    async def sync_started(self, plan: Plan, *, refused: str, whole: bool) -> None:
        """Publish that a pass begins, and what a brake refused; a whole pass also clears what is refused no more."""
        if refused or whole:
            await self.notify_standing(EventKind.REFUSED, [refused_event(refused)] if refused else [])
        await self.notify(started_events(plan))

    async def sync_finished(self, report: SyncReport, *, whole: bool) -> None:
        """Publish the end of a pass; after a pass over everything, also what stays blocked or is so no more."""
        events = finished_events(report)
        if ended_well(report) and (whole or report.results):  # then whatever comes next is news
            for kind in OF_A_SYNC:
                self._store.keep_reported(f"{kind}|", set())
        await self.notify(events)
        if whole:
            failed = {_mark(event.kind, event.subject) for event in events if event.subject}
            self._store.keep_reported(f"{EventKind.FAILED}|", failed)
            await self.notify_standing(EventKind.BLOCKED, blocked_events(report.plan))

    async def notify_solved(self, kind: EventKind, subject: str, event: Event) -> None:
        """What stood under `kind` and `subject` is over; publish `event` if it had been reported."""
        if self._store.retract(_mark(kind, subject)):
            await self.notify([event])

    async def flush(self) -> None:
        """Send what waits; what cannot be sent keeps waiting."""
        async with self._one_sender:
            while self._waiting:
                first = self._waiting[0]
                try:
                    await self._publish(*first)
                except BrokerError:
                    return
                if self._waiting[0] is first:  # else a full backlog has dropped it meanwhile
                    self._waiting.popleft()


def _mark(kind: EventKind, subject: str) -> str:
    return f"{kind}|{subject}"
