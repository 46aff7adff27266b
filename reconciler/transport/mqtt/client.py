"""
The transport over MQTT: one connection after another, each with the subscriptions of the last.

Rule 1: a loss is reported once, with its reason; a new connection only when every subscription is confirmed again.
Rule 2: messages that arrive before the connection is reported are held back until then, in order.
Rule 3: after a loss reconnecting never stops, whatever the broker answers; each new reason why it fails is reported once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from reconciler.aio import Backoff, report_exception, report_failure
from reconciler.errors import BrokerError, SettingsError
from reconciler.settings.model import TlsSettings
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import (
    ClientIdentity,
    Listeners,
    Message,
    OnConnection,
    OnDone,
    OnMessage,
    Publish,
    PublishResult,
)
from reconciler.transport.filters import FilterSet, check_filter, check_topic
from reconciler.transport.mqtt.connection import Connection, open_connection
from reconciler.transport.mqtt.refusals import VersionRefused

VERSION_TIMEOUT_S = 3.0
"""How long a version of MQTT may stay unanswered: amqtt does not answer MQTT 5 at all."""

SLICE = 200
"""Held-back messages that are delivered before the loop gets a turn."""


class MqttTransport:
    """A `Transport` to the broker at the address that `address_of_broker` returns; it is called before each connection.

    `strays` counts messages on topics outside the subscriptions, a broker's fault; they are dropped.
    """

    def __init__(
        self,
        address_of_broker: Callable[[], Awaitable[BrokerAddress]],
        identity: ClientIdentity,
        *,
        tls: TlsSettings | None = None,
        connect_timeout_s: float = 10.0,
    ) -> None:
        self.strays = 0
        self._address_of_broker = address_of_broker
        self._identity = identity
        self._tls = tls or TlsSettings()
        self._connect_timeout_s = connect_timeout_s
        self._listeners = Listeners(report_exception)
        self._subscriptions: dict[str, int] = {}
        self._wanted = FilterSet()
        self._last_version: MqttVersion | None = None
        self._connection: Connection | None = None
        self._held: deque[Message] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._why_not = "connect() was not called"

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def on_message(self, callback: OnMessage) -> None:
        self._listeners.add_message(callback)

    def on_connection(self, callback: OnConnection) -> None:
        self._listeners.add_connection(callback)

    # Connecting and disconnecting

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
        self._keeping = asyncio.create_task(
            self._keep_connected(connection), name=f"mqtt {self._identity.client_id}"
        )
        report_failure(self._keeping, "keeping the connection to the broker failed")

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._stop_keeping()
        self._why_not = "closed"
        self._held = None
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _stop_keeping(self) -> None:
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _keep_connected(self, connection: Connection) -> None:
        """Wait for the end of each connection and open the next (rule 3)."""
        backoff = Backoff()
        clock = asyncio.get_running_loop().time
        while True:
            since = clock()
            reason = await asyncio.shield(connection.ended)
            self._report_loss(reason)
            backoff.lasted(clock() - since)
            connection = await self._reopen(backoff, reason)

    def _report_loss(self, reason: str) -> None:
        self._connection = None
        self._held = None
        self._why_not = reason
        self._listeners.connection(connected=False, reason=reason)

    async def _reopen(self, backoff: Backoff, reason: str) -> Connection:
        """A new connection; `reason`: why the last one ended, which is reported already."""
        reported = {reason}
        while True:
            await asyncio.sleep(backoff.next_s())
            try:
                return await self._open()
            except (BrokerError, SettingsError) as error:
                self._why_not = str(error)
                if self._why_not not in reported:
                    reported.add(self._why_not)
                    self._report_loss(self._why_not)

    async def _open(self) -> Connection:
        """Connect, subscribe again, report the connection, then deliver what arrived meanwhile (rules 1 and 2)."""
        address = await self._address_of_broker()
        held = self._held = deque()
        connection = await self._open_any_version(address)
        try:
            if self._subscriptions:
                await connection.subscribe(list(self._subscriptions.items()), self._connect_timeout_s)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        self._listeners.connection(connected=True, reason=f"connected to {address} ({connection.version})")
        self._deliver_held(held)
        return connection

    async def _open_any_version(self, address: BrokerAddress) -> Connection:
        """Try each version in turn, the one that worked last time first."""

        async def open_with(version: MqttVersion) -> Connection:
            connection = await open_connection(
                address, version, self._identity, tls=self._tls, deliver=self._on_message
            )
            self._last_version = version
            return connection

        *others, last = sorted(address.versions, key=lambda version: version is not self._last_version)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                for version in others:
                    with contextlib.suppress(TimeoutError, VersionRefused):
                        async with asyncio.timeout(min(VERSION_TIMEOUT_S, self._connect_timeout_s / 2)):
                            return await open_with(version)
                return await open_with(last)
        except TimeoutError:
            raise BrokerError(
                f"the broker {address} does not answer within {self._connect_timeout_s:g} s",
                fix="check that broker.url names an MQTT broker and that nothing filters the port",
            ) from None

    # Sending

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
        self._set_subscriptions({**self._subscriptions, **dict.fromkeys(filters, qos)})
        try:
            await connection.subscribe([(text, qos) for text in filters], timeout_s)
        except BrokerError:
            self._set_subscriptions({text: at for text, at in self._subscriptions.items() if text not in new})
            raise

    def _established(self) -> Connection:
        if self._connection is None:
            raise BrokerError(f"not connected to the broker: {self._why_not}")
        return self._connection

    def _set_subscriptions(self, subscriptions: dict[str, int]) -> None:
        self._subscriptions = subscriptions
        self._wanted = FilterSet(subscriptions)

    # Receiving

    def _on_message(self, message: Message) -> None:
        if message.topic not in self._wanted:
            self.strays += 1
        elif self._held is not None:
            self._held.append(message)
        elif self.connected:
            self._listeners.message(message)

    def _deliver_held(self, held: deque[Message]) -> None:
        """Deliver the messages held back, a slice at a time; messages that arrive meanwhile queue behind them."""
        for _ in range(min(SLICE, len(held))):
            if held is not self._held:
                return  # that connection is lost
            self._listeners.message(held.popleft())
        if held:
            asyncio.get_running_loop().call_soon(self._deliver_held, held)
        elif held is self._held:
            self._held = None
