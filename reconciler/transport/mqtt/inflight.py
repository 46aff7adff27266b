"""
Messages at QoS 1 from the call to their end: a limited number unacknowledged, the others waiting in order. Pure.

Rule 1: each message has one end, reported once: acknowledged, refused, given up, or cut off with its connection.
Rule 2: giving up makes no room: only the broker's acknowledgement does.
Rule 3: a slow broker is not a silent one: time runs from when a message was sent, and for those that wait only
while none is acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from reconciler.errors import BrokerError
from reconciler.transport.base import OnDone, OnError, Publish, PublishResult

UNKNOWN = "whether the message arrived is unknown"
UNSENT = "the message was not sent"


class InflightMessage(msgspec.Struct, eq=False):
    """A message until its end. `timeout_s`: for its acknowledgement; `packet_id` 0: not sent yet."""

    message: Publish
    on_done: OnDone | None
    timeout_s: float
    packet_id: int = 0
    deadline: float = 0.0

    def end(self, outcome: PublishResult | BrokerError, on_error: OnError) -> None:
        """Call `on_done`, once; `on_error` gets what it raises (rule 4 of base.py)."""
        on_done, self.on_done = self.on_done, None
        if on_done is None:
            return
        try:
            on_done(outcome)
        except Exception as error:  # noqa: BLE001  rule 4 of base.py
            on_error(error, f"a listener failed on the end of a message to {self.message.topic}")


class InflightWindow:
    """At most `limit` unacknowledged messages.

    `send` writes a message under its packet id; `new_id` returns ids, some of which may be `in_use` elsewhere;
    `clock` returns seconds; `on_error` gets what an `on_done` raises.
    """

    def __init__(
        self,
        send: Callable[[Publish, int], None],
        *,
        new_id: Callable[[], int],
        in_use: Callable[[int], bool],
        clock: Callable[[], float],
        on_error: OnError,
    ) -> None:
        self.limit = 1
        self._send = send
        self._new_id = new_id
        self._in_use = in_use
        self._clock = clock
        self._on_error = on_error
        self._sent: dict[int, InflightMessage] = {}
        self._waiting: deque[InflightMessage] = deque()

    def put(self, inflight: InflightMessage) -> None:
        """Send a message, or queue it until there is room."""
        inflight.deadline = self._clock() + inflight.timeout_s
        if self._waiting or len(self._sent) >= self.limit:
            self._waiting.append(inflight)
        else:
            self._dispatch(inflight)

    def _dispatch(self, inflight: InflightMessage) -> None:
        # There are far more packet ids than messages may be in flight.
        while (packet_id := self._new_id()) in self._sent or self._in_use(packet_id):
            pass
        inflight.packet_id = packet_id
        self._sent[packet_id] = inflight
        try:
            self._send(inflight.message, packet_id)
        except BrokerError as error:
            del self._sent[packet_id]
            inflight.end(error, self._on_error)

    def acknowledged(self, packet_id: int) -> InflightMessage | None:
        """Remove the message with this id and send those that it kept waiting; None if there is none."""
        acknowledged = self._sent.pop(packet_id, None)
        while self._waiting and len(self._sent) < self.limit:
            inflight = self._waiting.popleft()
            inflight.deadline = self._clock() + inflight.timeout_s
            self._dispatch(inflight)
        return acknowledged

    def give_up(self, inflight: InflightMessage, why: str) -> BrokerError:
        """Stop waiting for a message; returns what its `on_done`, which is not called, would have been given."""
        inflight.on_done = None
        return self._abandon(inflight, why)

    def expire(self, why: str) -> None:
        """Give up the messages whose time is over."""
        late = self._late(self._sent.values())
        for inflight in late and [*late, *self._late(self._waiting)]:
            inflight.end(self._abandon(inflight, why), self._on_error)

    def _late(self, messages: Iterable[InflightMessage]) -> list[InflightMessage]:
        now = self._clock()
        return [
            inflight for inflight in messages if inflight.on_done is not None and inflight.deadline <= now
        ]

    def _abandon(self, inflight: InflightMessage, why: str) -> BrokerError:
        if inflight.packet_id:
            return BrokerError(f"{why}; {UNKNOWN}")
        if inflight in self._waiting:
            self._waiting.remove(inflight)
        return BrokerError(f"{why}; {UNSENT}")

    def close(self, why: str) -> None:
        """End all messages: the connection is gone, and none will be acknowledged."""
        sent, waiting = list(self._sent.values()), list(self._waiting)
        self._sent.clear()
        self._waiting.clear()
        for inflight in sent:
            inflight.end(BrokerError(f"{why}; {UNKNOWN}"), self._on_error)
        for inflight in waiting:
            inflight.end(BrokerError(f"{why}; {UNSENT}"), self._on_error)
