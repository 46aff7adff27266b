"""
The `Fleet` over MQTT: one connection, the picture of every target, commands out and responses back.

It knows bytes (transport), messages (protocol) and the picture (observed); it decides nothing.
`apply` is the only caller of `send`. All of it runs in one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import msgspec

from reconciler.aio import wait_for_event
from reconciler.errors import BrokerError
from reconciler.fleet.base import CommandContext, PendingCommand, PictureListener
from reconciler.fleet.commands import CommandTracker, ControllerIdentity
from reconciler.fleet.target import (
    Target,
    is_incomplete,
    is_outdated,
    is_settled,
    state_filters,
    subscriptions,
)
from reconciler.model.change import Step
from reconciler.model.spec import Key
from reconciler.model.state import Observed, ObservedStrategy, PictureUpdate, Presence
from reconciler.observed.target import ObservedTarget
from reconciler.protocol.topics import TopicKind
from reconciler.settings.model import TargetSettings
from reconciler.transport.base import Message, Publish, Transport

QUIET_S = 0.1
"""After so long without news a snapshot has come to its end, or was cut: a broker sends it in one go."""

ASK_AGAIN_S = 0.3
"""A snapshot of 10,000 strategies takes a quarter of a second; asking again sooner would only add to it."""

log = logging.getLogger("reconciler")


class FleetClient:
    """See the bots of all targets, and send them commands, over one transport."""

    def __init__(
        self,
        transport: Transport,
        targets: Mapping[str, TargetSettings],
        identity: ControllerIdentity,
    ) -> None:
        self._transport = transport
        self._clock = asyncio.get_running_loop().time
        self._targets = {name: Target(name, settings) for name, settings in targets.items()}
        self._tracker = CommandTracker(transport, identity)
        self._news = asyncio.Event()
        self._asked_at = self._clock()
        self._listeners: list[PictureListener] = []
        self._on_link: list[Callable[[bool, str], None]] = []
        self._on_logs: Callable[[str, bytes], None] | None = None
        transport.on_message(self._on_message)
        transport.on_connection(self._on_connection)

    @property
    def identity(self) -> ControllerIdentity:
        """Who we are on the wire now."""
        return self._tracker.identity

    @property
    def owner(self) -> str:
        """See `Fleet.owner`."""
        return self.identity.owner

    def record_first(self, record: Callable[[], None]) -> None:
        """Call `record` before any command leaves: what we die of must find it written down."""
        self._tracker.record = record

    def renew(self, epoch: int) -> None:
        """Carry a new epoch from now on: another process has applied since we last did."""
        self._tracker.identity = msgspec.structs.replace(self.identity, epoch=epoch)

    # -- connection

    async def open(self, *, performance: bool = False, logs: bool = False, timeout_s: float = 10.0) -> None:
        """Connect and subscribe to every target.

        Raises:
            BrokerError: out of reach within the transport's own limit; BrokerRefused if it said no.
        """
        await self._transport.connect()
        for target in self._targets.values():
            for topics, qos in subscriptions(target.topics, performance=performance, logs=logs):
                await self._transport.subscribe(topics, qos=qos, timeout_s=timeout_s)

    async def close(self) -> None:
        self._tracker.close()
        await self._transport.close()

    @property
    def connected(self) -> bool:
        return self._transport.connected

    def on_change(self, listener: PictureListener) -> None:
        """Call `listener` on every change in the picture; it must be quick and must not raise."""
        self._listeners.append(listener)

    def on_link(self, listener: Callable[[bool, str], None]) -> None:
        """Call `listener` on every loss (with its reason) and return of the connection."""
        self._on_link.append(listener)

    def tick(self) -> None:
        """Let time pass for all pictures: an agent whose heartbeats stop is noticed here."""
        for name, target in self._targets.items():
            self._spread(name, target.state.tick(self._clock()))

    def on_logs(self, listener: Callable[[str, bytes], None]) -> None:
        """Hand every log payload (target, bytes) to `listener`; needs `open(logs=True)`."""
        self._on_logs = listener

    def _on_connection(self, connected: bool, reason: str) -> None:
        for name, target in self._targets.items():
            update = target.state.on_connection(connected, self._clock())
            self._spread(name, update)
        for listener in self._on_link:
            listener(connected, reason)

    def _on_message(self, message: Message) -> None:
        for name, target in self._targets.items():
            address = target.topics.read(message.topic)
            if address is None:
                continue
            if address.kind is TopicKind.RESPONSE:
                self._tracker.on_reply(message)
            elif address.kind is TopicKind.LOGS:
                if self._on_logs is not None:
                    self._on_logs(name, message.payload)
            else:
                update = target.state.take(
                    message.topic, address, message.payload, message.retain, self._clock()
                )
                self._spread(name, update)
            return

    def _spread(self, target: str, update: PictureUpdate) -> None:
        if not update:
            return
        self._news.set()
        for name in update.changed:
            self._tracker.on_status(Key(target, name))
        for listener in self._listeners:
            listener(target, update)

    # -- seeing

    def observe(self) -> dict[str, Observed]:
        """Every target's picture as it is now."""
        now = self._clock()
        return {name: target.state.observe(now) for name, target in self._targets.items()}

    def state(self, target: str) -> ObservedTarget:
        """One target's picture itself, for its performance figures."""
        return self._targets[target].state

    def strategy(self, key: Key) -> ObservedStrategy | None:
        """One strategy as last seen, if what was seen can be believed."""
        return self._targets[key.target].state.believed(key.name)

    def presence(self, key: Key) -> Presence:
        """What can be said of one strategy now; ABSENT only if it is proved."""
        return self._targets[key.target].state.presence(key.name, self._clock())

    def reachable(self, target: str) -> bool:
        """Whether an Extended agent is there to be asked again."""
        view = self._targets[target].state.observe(self._clock())
        return view.connected and view.extended and any(agent.online for agent in view.agents)

    async def settle(self, timeout_s: float) -> dict[str, Observed]:
        """Wait until every target's picture is as good as it will get, at most `timeout_s`."""
        deadline = self._clock() + timeout_s
        while True:
            self._news.clear()
            observed = self.observe()
            left_s = deadline - self._clock()
            if left_s <= 0 or all(is_settled(view) for view in observed.values()):
                return observed
            await wait_for_event(self._news, min(left_s, QUIET_S))
            if not self._news.is_set():
                await self.ask_again()

    async def ask_again(self) -> None:
        """Subscribe again to the state of every target whose agents are online but whose picture is incomplete.

        If messages were lost that nothing makes up for, what was received before is dropped.

        A broker may cut a large retained snapshot without an error; each subscription sends it again.
        At most every `ASK_AGAIN_S`; a new connection subscribes by itself.
        """
        now = self._clock()
        if now - self._asked_at < ASK_AGAIN_S:
            return
        self._asked_at = now
        for name, target in self._targets.items():
            if self.connected and is_incomplete(target.state.observe(now)):
                log.debug("the state of %s is incomplete: requesting it again", name)
                await self._start_over(name, target, forget=is_outdated(target.state.observe(now)))

    async def start_over(self) -> None:
        """Drop what is known of Extended targets until it is received again: a step's end was not seen, so a status
        may be lost. Basic targets keep theirs: a Basic peer may never repeat a status.
        """
        for name, target in self._targets.items():
            if self.connected and target.extended:
                await self._start_over(name, target, forget=True)

    async def _start_over(self, name: str, target: Target, *, forget: bool) -> None:
        if forget:
            self._spread(name, target.state.start_over())
        with contextlib.suppress(BrokerError):
            await self._transport.subscribe(state_filters(target.topics), qos=0)

    # -- sending

    def send(
        self, key: Key, step: Step, context: CommandContext
    ) -> AbstractAsyncContextManager[PendingCommand]:
        """See `Fleet.send`. A Basic peer gets one command at a time, so the block may have to wait its turn."""
        return self._tracker.send(self._targets[key.target], key, step, context)

    async def notify(self, target: str, channel: str, payload: bytes, *, timeout_s: float = 5.0) -> None:
        """Publish one notification under `target`'s root.

        Raises:
            BrokerError: not connected, or not acknowledged in time.
        """
        topic = self._targets[target].topics.notification(channel)
        await self._transport.publish(Publish(topic, payload), timeout_s=timeout_s)

    def believe(self, key: Key, step: Step) -> None:
        """Take a Basic peer's success as evidence: it may never report a status (protocol.md)."""
        update = self._targets[key.target].state.confirmed(key.name, step, self._clock())
        self._spread(key.target, update)
