"""
A broker inside this process, for `memory:` and for tests; nothing leaves the event loop.

It behaves as a broker at MQTT 5 as far as `base.py` can distinguish: the same contract suite runs over both. Like an
unconfigured Mosquitto it keeps nothing on disk: a hub and its retained messages are gone with its last client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

from reconciler.aio import report_exception
from reconciler.errors import BrokerError
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

SLICE = 200
"""Messages delivered to one client before the loop gets a turn."""

_hubs: WeakValueDictionary[str, Hub] = WeakValueDictionary()


def hub_named(name: str) -> Hub:
    """The hub that every client in this process gets for `memory:NAME`."""
    return _hubs.setdefault(name, Hub())


class Hub:
    """The broker: its clients and its retained messages."""

    def __init__(self) -> None:
        self._members: dict[str, _Member] = {}
        self._retained: dict[str, Message] = {}

    def join(self, member: _Member) -> None:
        """Accept a client; one with the same id is disconnected."""
        former = self._members.pop(member.client.client_id, None)
        if former is not None:
            self._publish_will(former)
            former.lost("another client has connected with our client id (session taken over)")
        self._members[member.client.client_id] = member

    def leave(self, member: _Member, *, abruptly: bool) -> None:
        """Remove a client; its will is published if it left `abruptly`."""
        if self._members.get(member.client.client_id) is member:
            del self._members[member.client.client_id]
            if abruptly:
                self._publish_will(member)

    def _publish_will(self, member: _Member) -> None:
        will = member.client.will
        if will is not None:
            self.route(Message(will.topic, will.payload, will.retain))

    def route(self, message: Message) -> bool:
        """Deliver a message to all its subscribers, retaining it if it says so; whether there was a subscriber."""
        if message.retain and message.payload:
            self._retained[message.topic] = message
        elif message.retain:
            self._retained.pop(message.topic, None)
        fresh = Message(message.topic, message.payload, retain=False, properties=message.properties)
        subscribers = [member for member in self._members.values() if message.topic in member.wanted]
        for member in subscribers:
            member.put(fresh)
        return bool(subscribers)

    def retained(self, filters: FilterSet) -> list[Message]:
        """The retained messages that a new subscriber to `filters` receives."""
        return [message for topic, message in self._retained.items() if topic in filters]


class _Member:
    """One client at a hub, from joining to leaving."""

    def __init__(self, client: ClientIdentity, deliver: OnMessage, lost: Callable[[str], None]) -> None:
        self.client = client
        self.wanted = FilterSet()
        self.lost = lost
        self._deliver = deliver
        self._inbox: deque[Message] = deque()
        self._due = False

    def put(self, message: Message) -> None:
        self._inbox.append(message)
        self._deliver_soon()

    def _deliver_soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._due = False
        for _ in range(SLICE):
            if not self._inbox:
                return
            self._deliver(self._inbox.popleft())
        self._deliver_soon()

    def empty(self) -> None:
        """Drop what is not delivered yet: the connection is gone."""
        self._inbox.clear()


class MemoryTransport:
    """A `Transport` to a hub. `drop` and `restore` do to it what a bad network does to a real one."""

    def __init__(self, hub: Hub, client: ClientIdentity) -> None:
        self._hub = hub
        self._client = client
        self._listeners = Listeners(report_exception)
        self._subscriptions: set[str] = set()
        self._member: _Member | None = None
        self._why_not = "connect() was not called"

    @property
    def connected(self) -> bool:
        return self._member is not None

    def on_message(self, callback: OnMessage) -> None:
        self._listeners.add_message(callback)

    def on_connection(self, callback: OnConnection) -> None:
        self._listeners.add_connection(callback)

    async def connect(self) -> None:
        """See `Transport.connect`; it cannot fail."""
        if self._member is None:
            self.restore()

    async def close(self) -> None:
        """See `Transport.close`."""
        self._part("closed", abruptly=False)

    def drop(self, reason: str = "the connection broke") -> None:
        """Lose the connection: the hub publishes the will, and the transport reconnects only in `restore`."""
        if self._part(reason, abruptly=True):
            self._listeners.connection(connected=False, reason=reason)

    def restore(self) -> None:
        """Reconnect, with all subscriptions."""
        self._member = _Member(self._client, self._listeners.message, self.drop)
        self._hub.join(self._member)
        self._member.wanted = FilterSet(self._subscriptions)
        self._listeners.connection(connected=True, reason="connected to memory:")
        self._put_retained(self._member, self._member.wanted)

    def _part(self, reason: str, *, abruptly: bool) -> bool:
        member, self._member = self._member, None
        self._why_not = reason
        if member is not None:
            member.empty()
            self._hub.leave(member, abruptly=abruptly)
        return member is not None

    async def publish(self, message: Publish, *, timeout_s: float = 10.0) -> PublishResult:  # noqa: ARG002  a hub answers at once
        """See `Transport.publish`."""
        result = self._route(message)
        await asyncio.sleep(0)
        return result

    def post(self, message: Publish, *, timeout_s: float = 10.0, on_done: OnDone | None = None) -> None:  # noqa: ARG002  as publish
        """See `Transport.post`."""
        result = self._route(message)
        if on_done is not None:
            asyncio.get_running_loop().call_soon(on_done, result)

    def _route(self, message: Publish) -> PublishResult:
        check_topic(message.topic)
        self._established()
        wanted = self._hub.route(Message(message.topic, message.payload, message.retain, message.properties))
        return PublishResult(no_subscribers=message.qos > 0 and not wanted)

    async def subscribe(self, filters: Sequence[str], *, qos: int = 1, timeout_s: float = 10.0) -> None:  # noqa: ARG002  as publish; a hub loses nothing at any QoS
        """See `Transport.subscribe`."""
        for text in filters:
            check_filter(text)
        member = self._established()
        self._subscriptions.update(filters)
        member.wanted = FilterSet(self._subscriptions)
        self._put_retained(member, FilterSet(filters))
        await asyncio.sleep(0)

    def _established(self) -> _Member:
        if self._member is None:
            raise BrokerError(f"not connected to the broker: {self._why_not}")
        return self._member

    def _put_retained(self, member: _Member, filters: FilterSet) -> None:
        for message in self._hub.retained(filters):
            member.put(message)
