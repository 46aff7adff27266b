"""
What every transport promises: the words and the protocol, no behaviour.

Rule 1: nothing is published while disconnected, and nothing is kept for later.
Rule 2: a message is handed over only while the transport says that it is connected, after it said so.
Rule 3: a message may come twice; per topic, a publisher's messages come in its order.
Rule 4: an exception in a callback is the callback's problem: it goes to the loop's exception handler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from reconciler.errors import BrokerError


class Properties(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What MQTT 5 carries beside a payload. MQTT 3.1.1 cannot: there they are dropped without a word."""

    response_topic: str | None = None
    correlation_data: bytes | None = None
    expiry_s: int | None = None
    content_type: str | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message received. `retain`: it is the topic's retained message, told to a new subscriber."""

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
    """What the broker publishes for us when we vanish without `close()`."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class ClientIdentity(msgspec.Struct, frozen=True, gc=False):
    """Who we are to the broker. Two clients with one id evict each other."""

    client_id: str
    will: Will | None = None


class PublishResult(msgspec.Struct, frozen=True, gc=False):
    """What the broker said of a publish. `no_subscribers`: it took the message and has nobody to give it to.

    False also means "cannot tell": MQTT 3.1.1 and QoS 0 know no such answer.
    """

    no_subscribers: bool = False


OnDone = Callable[[PublishResult | BrokerError], None]
"""Called once with the publish result of a message that was posted: what `publish` would return or raise."""

OnMessage = Callable[[Message], None]
"""Called in the loop's thread for each message."""

OnConnection = Callable[[bool, str], None]
"""Called with whether we are connected and why, at each change and each refusal."""


class Transport(Protocol):
    """One client of a broker. All calls belong to one event loop."""

    @property
    def connected(self) -> bool:
        """Whether a publish would be tried now."""

    async def connect(self) -> None:
        """Connect, and from then on come back by itself after each loss; nothing to do if connected.

        A broker that refuses us three times in a row while coming back is left alone until the next call.

        Raises:
            BrokerError: out of reach or silent; nothing goes on in the background.
            BrokerRefused: it said no, and would again.
        """

    async def close(self) -> None:
        """Take leave, so that no will is published, and stop everything. Reported to nobody."""

    async def publish(self, message: Publish, *, timeout_s: float = 10.0) -> PublishResult:
        """Publish `message` and wait for the broker's acknowledgement (QoS 0: until it is on its way).

        Raises:
            BrokerError: not connected (nothing was sent), refused, or no acknowledgement: whether it arrived
                is unknown.
            ValueError: the topic is empty or has a wildcard.
        """

    def post(self, message: Publish, *, timeout_s: float = 10.0, on_done: OnDone | None = None) -> None:
        """Publish without waiting. `on_done` is called once with the publish result, maybe before this returns.

        Time that is up is noticed within a second. Posts and publishes at QoS 1 leave in the order of the calls.

        Raises:
            BrokerError: not connected, or too long for the broker; nothing was sent.
            ValueError: the topic is empty or has a wildcard.
        """

    async def subscribe(self, filters: Sequence[str], *, qos: int = 1, timeout_s: float = 10.0) -> None:
        """Subscribe, now and again after each reconnection; asked twice, retained messages come twice.

        Raises:
            BrokerError: not connected, no acknowledgement, or a filter refused (it is named).
            ValueError: not a topic filter.
        """

    def on_message(self, callback: OnMessage) -> None:
        """Hand each message of our subscriptions to `callback` as well."""

    def on_connection(self, callback: OnConnection) -> None:
        """Tell `callback` as well of each connection made, lost or refused."""
