"""
The contract of every transport: its values, the protocol `Transport`, and how callbacks are called. Pure.

Rule 1: nothing is published while disconnected, and nothing is kept for later.
Rule 2: a message is delivered only after `on_connection` reported the connection and before it reports the loss.
Rule 3: a message may be delivered twice; per topic, a publisher's messages keep their order.
Rule 4: an exception in a callback goes to the loop's exception handler and affects nothing else.

One contract suite (tests/contract/transport) runs over all transports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from reconciler.errors import BrokerError


class Properties(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What MQTT 5 carries besides the payload. On MQTT 3.1.1 properties are dropped silently."""

    response_topic: str | None = None
    correlation_data: bytes | None = None
    expiry_s: int | None = None
    content_type: str | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message received. `retain`: it is the topic's retained message, sent because of a new subscription."""

    topic: str
    payload: bytes
    retain: bool = False
    properties: Properties | None = None


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A message to publish, with what MQTT can say of it. `qos`: 0 or 1."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: Properties | None = None


class Will(msgspec.Struct, frozen=True, gc=False):
    """What the broker publishes when the client vanishes without `close()`."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class ClientIdentity(msgspec.Struct, frozen=True, gc=False):
    """Identifies a client to the broker. Two clients with one id evict each other."""

    client_id: str
    will: Will | None = None


class PublishResult(msgspec.Struct, frozen=True, gc=False):
    """The broker's acknowledgement of a publish. `no_subscribers`: it accepted the message, and nobody subscribes to it.

    False also means "unknown": MQTT 3.1.1 and QoS 0 have no such answer.
    """

    no_subscribers: bool = False


OnDone = Callable[[PublishResult | BrokerError], None]
"""Called once with the publish result of a message that was posted: what `publish` would return or raise."""

OnMessage = Callable[[Message], None]
"""Called in the loop's thread for each message."""

OnConnection = Callable[[bool, str], None]
"""Called with whether the transport is connected, and the reason: at each change, and while disconnected once for each
new reason why reconnecting fails."""

OnError = Callable[[BaseException, str], None]
"""Called with an exception that no caller can catch, and what failed."""


class Transport(Protocol):
    """One client of a broker. All calls belong to one event loop."""

    @property
    def connected(self) -> bool:
        """Whether a publish would be attempted now."""

    async def connect(self) -> None:
        """Connect, and reconnect after each loss from then on; does nothing while connected.

        Reconnecting goes on until `close`, after a refusal too: passwords, access lists and certificates are renewed
        while the client runs. The pauses grow to 30 s; TLS files are read again for each attempt.

        Raises:
            BrokerError: the broker cannot be reached or does not answer; no attempt continues in the background.
            BrokerRefused: the broker refuses the client. A command fails at once, since a retry seldom changes that.
        """

    async def close(self) -> None:
        """Disconnect, so that no will is published, and stop reconnecting. No callback is called."""

    async def publish(self, message: Publish, *, timeout_s: float = 10.0) -> PublishResult:
        """Publish `message` and wait for the broker's acknowledgement (QoS 0: until it has left).

        Raises:
            BrokerError: not connected (nothing was sent), refused, or not acknowledged within `timeout_s` (whether
                it arrived is unknown).
            ValueError: the topic is empty or has a wildcard.
        """

    def post(self, message: Publish, *, timeout_s: float = 10.0, on_done: OnDone | None = None) -> None:
        """Publish without waiting. `on_done` is called once with the publish result, maybe before this returns.

        An expired `timeout_s` is noticed within a second. Posts and publishes at QoS 1 leave in the order of the calls.

        Raises:
            BrokerError: not connected, or longer than the broker allows; nothing was sent.
            ValueError: the topic is empty or has a wildcard.
        """

    async def subscribe(self, filters: Sequence[str], *, qos: int = 1, timeout_s: float = 10.0) -> None:
        """Subscribe, and again after each reconnection. Each call makes the broker send the retained messages.

        Raises:
            BrokerError: not connected, not acknowledged, or refused; the refused filters are named.
            ValueError: not a topic filter.
        """

    def on_message(self, callback: OnMessage) -> None:
        """Add `callback`, which is called with each message of the subscriptions."""

    def on_connection(self, callback: OnConnection) -> None:
        """Add `callback`, which is called as `OnConnection` says."""


class Listeners:
    """The callbacks of one transport, called in the order in which they were added; `on_error` serves rule 4."""

    def __init__(self, on_error: OnError) -> None:
        self._on_error = on_error
        self._on_message: list[OnMessage] = []
        self._on_connection: list[OnConnection] = []

    def add_message(self, callback: OnMessage) -> None:
        self._on_message.append(callback)

    def add_connection(self, callback: OnConnection) -> None:
        self._on_connection.append(callback)

    def message(self, message: Message) -> None:
        """Deliver one message."""
        for callback in self._on_message:
            try:
                callback(message)
            except Exception as error:  # noqa: BLE001  rule 4
                self._on_error(error, f"a listener failed on a message from {message.topic}")

    def connection(self, connected: bool, reason: str) -> None:
        """Report a connection made, lost or refused."""
        for callback in self._on_connection:
            try:
                callback(connected, reason)
            except Exception as error:  # noqa: BLE001  rule 4
                self._on_error(error, "a listener failed on a change of the connection")
