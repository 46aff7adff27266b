"""
The transport over MQTT: one connection after another, each subscribed like the last.

Rule 1: a loss is reported once, with its reason; a return only when every subscription is confirmed again.
Rule 2: what arrives before the return is reported is held back until then, in order.
Rule 3: a broker that says no is not asked for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from reconciler.aio import Backoff
from reconciler.errors import BrokerError, BrokerRefused, SettingsError
from reconciler.settings.model import TlsSettings
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import (
    ClientIdentity,
    Message,
    OnConnection,
    OnDone,
    OnMessage,
    Publish,
    PublishResult,
)
from reconciler.transport.filters import FilterSet, check_filter, check_topic
from reconciler.transport.listeners import Listeners, report
from reconciler.transport.mqtt.connection import Connection, open_connection
from reconciler.transport.mqtt.refusals import VersionRefused

MAX_REFUSALS = 3
"""In a row; one alone may come from a broker that is still reading its password file."""

PATIENCE_S = 3.0
"""How long a version of MQTT may go unanswered: amqtt says nothing at all to MQTT 5."""

HELD_SLICE = 200
"""Messages held back that are handed over before the loop gets a turn."""


class MqttTransport:
    """A `Transport` to the broker that `where` names; it is asked before each connection."""

    def __init__(
        self,
        where: Callable[[], Awaitable[BrokerAddress]],
        who: ClientIdentity,
        *,
        tls: TlsSettings | None = None,
        connect_timeout_s: float = 10.0,
    ) -> None:
        self.strays = 0
        """Messages on topics that we never subscribed to: a broker's fault; they are dropped."""
        self._where = where
        self._who = who
        self._tls = tls or TlsSettings()
        self._connect_timeout_s = connect_timeout_s
        self._listeners = Listeners()
        self._subscriptions: dict[str, int] = {}
        self._wanted = FilterSet()
        self._spoken: MqttVersion | None = None
        self._connection: Connection | None = None
        self._held: deque[Message] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._why_not = "connect() was not called"

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def on_message(self, callback: OnMessage) -> None:
        self._listeners.add_message(callback)

    def on_connection(self, callback: OnConnection) -> None:
        self._listeners.add_connection(callback)

    # Coming and going.

    async def connect(self) -> None:
        """See `Transport.connect`."""
        if self.connected:
            return
        await self._stop_keeping()
        try:
            connection = await self._open()
        except BrokerError as error:
            self._why_not = str(error)
            raise
        self._keeper = asyncio.create_task(self._keep(connection), name=f"mqtt {self._who.client_id}")
        self._keeper.add_done_callback(_report_bug)

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._stop_keeping()
        self._why_not = "closed"
        self._held = None
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _stop_keeping(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def _keep(self, connection: Connection) -> None:
        """Wait for the end of each connection and open the next, until the broker refuses us for good."""
        backoff = Backoff()
        clock = asyncio.get_running_loop().time
        current: Connection | None = connection
        while current is not None:
            since = clock()
            reason = await asyncio.shield(current.ended)
            self._lost(reason)
            backoff.lasted(clock() - since)
            current = await self._reopen(backoff)

    def _lost(self, reason: str) -> None:
        self._connection = None
        self._held = None
        self._why_not = reason
        self._listeners.connection(connected=False, reason=reason)

    async def _reopen(self, backoff: Backoff) -> Connection | None:
        """A new connection, or None when the broker said no three times in a row."""
        refusals = 0
        while refusals < MAX_REFUSALS:
            await asyncio.sleep(backoff.next_s())
            try:
                return await self._open()
            except (BrokerRefused, SettingsError) as error:
                refusals += 1
                given_up = f"; given up after {refusals} refusals" if refusals == MAX_REFUSALS else ""
                self._lost(f"{error}{given_up}")
            except BrokerError as error:
                refusals = 0
                self._why_not = str(error)
        return None

    async def _open(self) -> Connection:
        """Connect, subscribe again, report, then hand over what came meanwhile."""
        address = await self._where()
        held = self._held = deque()
        connection = await self._dial(address)
        try:
            if self._subscriptions:
                await connection.subscribe(list(self._subscriptions.items()), self._connect_timeout_s)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        self._listeners.connection(connected=True, reason=f"connected to {address} ({connection.version})")
        self._hand_over(held)
        return connection

    async def _dial(self, address: BrokerAddress) -> Connection:
        """Try each version in its turn, the one that worked last time first."""
        *others, last = sorted(address.versions, key=lambda version: version is not self._spoken)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                for version in others:
                    with contextlib.suppress(TimeoutError, VersionRefused):
                        async with asyncio.timeout(min(PATIENCE_S, self._connect_timeout_s / 2)):
                            return await self._dial_as(address, version)
                return await self._dial_as(address, last)
        except TimeoutError:
            raise BrokerError(
                f"the broker {address} does not answer within {self._connect_timeout_s:g} s",
                fix="check that broker.url names an MQTT broker and that nothing filters the port",
            ) from None

    async def _dial_as(self, address: BrokerAddress, version: MqttVersion) -> Connection:
        connection = await open_connection(
            address, version, self._who, tls=self._tls, deliver=self._on_message
        )
        self._spoken = version
        return connection

    # What we send.

    async def publish(self, message: Publish, *, timeout_s: float = 10.0) -> PublishResult:
        """See `Transport.publish`."""
        check_topic(message.topic)
        return await self._established().publish(message, timeout_s=timeout_s)

    def post(self, message: Publish, *, timeout_s: float = 10.0, on_done: OnDone | None = None) -> None:
        """See `Transport.post`."""
        check_topic(message.topic)
        self._established().post(message, timeout_s=timeout_s, on_done=on_done)

    async def subscribe(self, filters: Sequence[str], *, qos: int = 1, timeout_s: float = 10.0) -> None:
        """See `Transport.subscribe`."""
        for text in filters:
            check_filter(text)
        connection = self._established()
        new = [text for text in filters if text not in self._subscriptions]
        self._want({**self._subscriptions, **dict.fromkeys(filters, qos)})
        try:
            await connection.subscribe([(text, qos) for text in filters], timeout_s)
        except BrokerError:
            self._want({text: at for text, at in self._subscriptions.items() if text not in new})
            raise

    def _established(self) -> Connection:
        if self._connection is None:
            raise BrokerError(f"not connected to the broker: {self._why_not}")
        return self._connection

    def _want(self, subscriptions: dict[str, int]) -> None:
        self._subscriptions = subscriptions
        self._wanted = FilterSet(subscriptions)

    # What we receive.

    def _on_message(self, message: Message) -> None:
        if message.topic not in self._wanted:
            self.strays += 1
        elif self._held is not None:
            self._held.append(message)
        elif self.connected:
            self._listeners.message(message)

    def _hand_over(self, held: deque[Message]) -> None:
        """Hand over what was held back, a slice at a time; what arrives meanwhile queues behind it."""
        for _ in range(min(HELD_SLICE, len(held))):
            if held is not self._held:
                return  # that connection is lost
            self._listeners.message(held.popleft())
        if held:
            asyncio.get_running_loop().call_soon(self._hand_over, held)
        elif held is self._held:
            self._held = None


def _report_bug(keeper: asyncio.Task[None]) -> None:
    error = None if keeper.cancelled() else keeper.exception()
    if error is not None:
        report(error, "keeping the connection to the broker failed")
