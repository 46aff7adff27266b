"""
Messages at QoS 1 on their way: so many unacknowledged at a time, the others wait in order. No socket.

Rule 1: each message has one end, told once: acknowledged, refused, given up, or cut off with its connection.
Rule 2: who has stopped waiting frees nothing: only the broker's acknowledgement makes room.
Rule 3: a slow broker is not a silent one: time runs from when a message was sent, and for those that wait only
while none is acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from reconciler.errors import BrokerError
from reconciler.transport.base import OnDone, Publish, PublishResult
from reconciler.transport.listeners import report

UNKNOWN = "whether the message arrived is unknown"
UNSENT = "the message was not sent"


class InflightMessage(msgspec.Struct, eq=False):
    """A message until its end is known. `timeout_s`: for its acknowledgement; `packet_id` 0: not sent yet."""

    message: Publish
    on_done: OnDone | None
    timeout_s: float
    packet_id: int = 0
    deadline: float = 0.0

    def end(self, outcome: PublishResult | BrokerError) -> None:
        """Call `on_done`, once."""
        on_done, self.on_done = self.on_done, None
        if on_done is None:
            return
        try:
            on_done(outcome)
        except Exception as error:  # noqa: BLE001  goes to the loop's handler: rule 4 of base.py
            report(error, f"a listener failed on the end of a message to {self.message.topic}")


class InflightWindow:
    """`send` writes a message under its packet id; `new_id` names ids, of which some may be in use elsewhere."""

    def __init__(
        self,
        send: Callable[[Publish, int], None],
        *,
        new_id: Callable[[], int],
        in_use: Callable[[int], bool],
        clock: Callable[[], float],
    ) -> None:
        self.limit = 1
        self._clock = clock
        self._send = send
        self._new_id = new_id
        self._in_use = in_use
        self._sent: dict[int, InflightMessage] = {}
        self._waiting: deque[InflightMessage] = deque()

    def put(self, inflight: InflightMessage) -> None:
        """Send a message, or let it wait for its turn."""
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
            inflight.end(error)

    def acknowledged(self, packet_id: int) -> InflightMessage | None:
        """Take out the message with this id and send those that it kept waiting; None if there is none."""
        acknowledged = self._sent.pop(packet_id, None)
        while self._waiting and len(self._sent) < self.limit:
            message = self._waiting.popleft()
            message.deadline = self._clock() + message.timeout_s
            self._dispatch(message)
        return acknowledged

    def give_up(self, message: InflightMessage, why: str) -> BrokerError:
        """Stop waiting for it, without a call of `on_done`; returns what can be said of it."""
        message.on_done = None
        return self._abandon(message, why)

    def expire(self, why: str) -> None:
        """Give up those whose time is over."""
        late = self._late(self._sent.values())
        for message in late and [*late, *self._late(self._waiting)]:
            message.end(self._abandon(message, why))

    def _late(self, messages: Iterable[InflightMessage]) -> list[InflightMessage]:
        now = self._clock()
        return [message for message in messages if message.on_done is not None and message.deadline <= now]

    def _abandon(self, message: InflightMessage, why: str) -> BrokerError:
        if message.packet_id:
            return BrokerError(f"{why}; {UNKNOWN}")
        if message in self._waiting:
            self._waiting.remove(message)
        return BrokerError(f"{why}; {UNSENT}")

    def close(self, why: str) -> None:
        """The connection is gone: nothing of this will be acknowledged."""
        sent, waiting = list(self._sent.values()), list(self._waiting)
        self._sent.clear()
        self._waiting.clear()
        for message in sent:
            message.end(BrokerError(f"{why}; {UNKNOWN}"))
        for message in waiting:
            message.end(BrokerError(f"{why}; {UNSENT}"))
