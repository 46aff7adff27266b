"""
Messages on their way out: in order, many at once, never while disconnected.

`Debouncer` and `RateLimit` bound how often the publisher puts messages that would come in bursts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from reconciler.errors import BrokerError
from reconciler.transport.base import Publish, PublishResult, Transport


class OutgoingMessage(Publish, frozen=True, gc=False):
    """One message. `about`: the strategy whose status it carries; it is published again if the message is lost."""

    about: str = ""


class Outbox:
    """Posts messages in the order of `put`; what is not delivered is passed to `on_lost` and not retried."""

    def __init__(self, transport: Transport, on_lost: Callable[[OutgoingMessage], None]) -> None:
        self._transport = transport
        self._on_lost = on_lost
        self._under_way = 0
        self._empty = asyncio.Event()

    def put(self, message: OutgoingMessage) -> bool:
        """Post `message` after those put before; False if it cannot be sent, and so is lost."""
        self._under_way += 1
        try:
            self._transport.post(message, on_done=partial(self._on_end, message))
        except BrokerError as error:
            self._on_end(message, error)
            return False
        return True

    def _on_end(self, message: OutgoingMessage, outcome: PublishResult | BrokerError) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._empty.set()
        if isinstance(outcome, BrokerError):
            self._on_lost(message)

    async def empty(self, timeout_s: float) -> None:
        """Wait until everything put so far has left, at most `timeout_s`.

        Raises:
            TimeoutError: it has not.
        """
        self._empty.clear()
        if self._under_way:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()


class Debouncer:
    """Calls `act` once after a burst of calls: when they pause for `quiet_s`, at the latest after `longest_s`."""

    def __init__(self, act: Callable[[], None], *, quiet_s: float, longest_s: float) -> None:
        self._act = act
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._timer: asyncio.TimerHandle | None = None
        self._called_at = 0.0
        self._deadline = 0.0

    def call(self) -> None:
        """Have `act` called soon."""
        loop = asyncio.get_running_loop()
        self._called_at = loop.time()
        if self._timer is None:
            self._deadline = self._called_at + self._longest_s
            self._timer = loop.call_later(min(self._quiet_s, self._longest_s), self._act_if_due)

    def _act_if_due(self) -> None:
        """Act, or check again when the pause may have been long enough."""
        loop = asyncio.get_running_loop()
        due = min(self._called_at + self._quiet_s, self._deadline)
        if loop.time() < due:
            self._timer = loop.call_at(due, self._act_if_due)
            return
        self._timer = None
        self._act()

    def cancel(self) -> None:
        """Drop a pending call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class RateLimit:
    """Grants at most `per_s` passages a second; counts in `refused` what exceeds them."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at = 0.0
        self.refused = 0

    def grants(self, now: float) -> bool:
        """Whether one more may pass at `now`, a monotonic clock in seconds."""
        self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True
