"""Messages on their way out: in order, many at once, never while disconnected, log records in moderation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from reconciler.errors import BrokerError
from reconciler.transport.base import Properties, Transport

_CARRIERS = 64
"""Messages that may wait for their acknowledgement at once; the transport's own limit is about 100."""


class Letter(msgspec.Struct, frozen=True, gc=False):
    """One message. `about`: the strategy whose status it carries; it is told again if the letter is lost."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: Properties | None = None
    about: str = ""


class Outbox:
    """Letters leave in the order of `put`; what is not delivered is handed to `on_lost` and not tried again."""

    def __init__(self, transport: Transport, on_lost: Callable[[Letter], None]) -> None:
        self._transport = transport
        self._on_lost = on_lost
        self._queue: asyncio.Queue[Letter] = asyncio.Queue()

    def put(self, letter: Letter) -> None:
        """Send `letter` as soon as those before it are on their way."""
        self._queue.put_nowait(letter)

    async def run(self) -> None:
        """Carry letters until cancelled."""
        async with asyncio.TaskGroup() as carriers:
            for _ in range(_CARRIERS):
                carriers.create_task(self._carry())

    async def _carry(self) -> None:
        while True:
            letter = await self._queue.get()
            try:
                await self._transport.publish(
                    letter.topic,
                    letter.payload,
                    qos=letter.qos,
                    retain=letter.retain,
                    properties=letter.properties,
                )
            except BrokerError:
                self._on_lost(letter)
            finally:
                self._queue.task_done()

    async def empty(self, timeout_s: float) -> None:
        """Wait until everything put so far has left, at most `timeout_s`.

        Raises:
            TimeoutError: it has not.
        """
        async with asyncio.timeout(timeout_s):
            await self._queue.join()


class Coalesced:
    """Calls `act` once after a burst of `ask`s: when they pause for `quiet_s`, at the latest after `longest_s`."""

    def __init__(self, act: Callable[[], None], *, quiet_s: float, longest_s: float) -> None:
        self._act = act
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0

    def ask(self) -> None:
        """Want `act` called soon."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._timer is None:
            self._deadline = now + self._longest_s
        else:
            self._timer.cancel()
        self._timer = loop.call_at(min(now + self._quiet_s, self._deadline), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._act()

    def cancel(self) -> None:
        """Call nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Allowance:
    """So many a second and no more; what is over is counted. `now`: a monotonic clock in seconds."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at = 0.0
        self.refused = 0

    def grants(self, now: float) -> bool:
        """Whether one more may pass now."""
        self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True
