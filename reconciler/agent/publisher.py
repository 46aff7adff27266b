"""
Publishes replies, statuses, presence, inventory, performance and logs of an agent, each on its topic.

Rule 1: a status that was not delivered is owed: its strategy's current status is published with the next heartbeat.
Rule 2: on every new connection everything retained is published again; the broker may have lost it.
Rule 3: what comes in bursts is bounded: replies of a batch go in batches, inventories are debounced, logs rationed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime

from reconciler.agent.model import AgentSession, Strategy
from reconciler.agent.outbox import Debouncer, Outbox, OutgoingMessage, RateLimit
from reconciler.agent.processor import CommandProcessor, Effects
from reconciler.agent.requests import Route
from reconciler.protocol.batches import batched, pack_responses
from reconciler.protocol.messages import LogRecord, Performance, Reply, encode
from reconciler.protocol.times import format_time
from reconciler.protocol.topics import Topics
from reconciler.transport.base import Properties, Transport

LOGS_PER_S = 200.0
"""Log records a second at most: 10,000 bots that start at once must not drown their own statuses."""

_INVENTORY_QUIET_S = 0.05
_INVENTORY_LONGEST_S = 0.5
"""An inventory is published when a burst of changes pauses, and twice a second during a long one."""

_OFFLINE_S = 5.0
"""How long leaving waits for the broker to take the last messages; one that does not read delays no exit."""

_JSON = "application/json"


class Publisher:
    """Publishes over `transport` what `processor` holds and what it decided.

    `_owed`: strategies whose last status was not delivered. `_known`: the names in the last inventory.
    """

    def __init__(
        self, topics: Topics, transport: Transport, session: AgentSession, processor: CommandProcessor
    ) -> None:
        self._topics = topics
        self._presence_topic = topics.presence(session.agent)
        self._inventory_topic = topics.inventory(session.agent)
        self._transport = transport
        self._session = session
        self._processor = processor
        self._outbox = Outbox(transport, self._on_lost)
        self._inventory_soon = Debouncer(
            self._publish_inventory, quiet_s=_INVENTORY_QUIET_S, longest_s=_INVENTORY_LONGEST_S
        )
        self._known: set[str] = set()
        self._owed: set[str] = set()
        self._published_epoch = 0
        self._logs = RateLimit(LOGS_PER_S)

    def publish_all(self) -> None:
        """Publish everything that is retained."""
        self.publish_presence()
        self._owed -= self._processor.strategies.keys()
        self.publish_owed()
        now = _now()
        for strategy in self._processor.strategies.values():
            self._publish_status(strategy, now, changed=False)
        self._known = set(self._processor.strategies)
        self._publish_inventory()

    def publish_presence(self) -> None:
        """Publish that the agent is online."""
        self._published_epoch = self._processor.epoch
        self._retain(self._presence_topic, self._session.presence(self._published_epoch))

    async def publish_offline(self) -> None:
        """Publish that the agent leaves, and wait until everything is sent."""
        self._retain(self._presence_topic, self._session.offline())
        with contextlib.suppress(TimeoutError):
            await self._outbox.empty(_OFFLINE_S)

    def close(self) -> None:
        """Publish nothing more on a timer."""
        self._inventory_soon.cancel()

    def clear_statuses(self, names: Iterable[str]) -> None:
        """Delete the retained statuses of strategies that no longer exist, with the next `publish_all`."""
        self._owed.update(names)

    def publish(self, effects: Effects) -> None:
        """Publish the replies of a turn, and the statuses of what it changed."""
        self._publish_replies(effects.replies)
        now = _now() if effects.changed else ""
        names_changed = False
        for item in effects.changed:
            if isinstance(item, Strategy):
                names_changed |= item.name not in self._known
                self._known.add(item.name)
                self._owed.discard(item.name)
                self._publish_status(item, now, changed=True)
            else:
                names_changed = True
                self._known.discard(item)
                self._owed.discard(item)
                self._delete_status(item)
        if names_changed:
            self._inventory_soon.call()
        if self._processor.epoch != self._published_epoch:
            self.publish_presence()

    def _publish_replies(self, replies: Iterable[tuple[Route, Reply]]) -> None:
        """Publish each reply on its topic; those that came in a batch go in batches if the broker takes them."""
        together: dict[str, list[bytes]] = {}
        for route, reply in replies:
            payload = encode(reply)
            if route.together:
                together.setdefault(route.topic, []).append(payload)
                continue
            correlation = route.correlation_data
            properties = Properties(correlation_data=correlation, content_type=_JSON) if correlation else None
            self._outbox.put(OutgoingMessage(route.topic, payload, qos=0, properties=properties))
        for topic, payloads in together.items():
            for some in batched(payloads, size=len):
                batch = OutgoingMessage(self._topics.batch_of(topic), pack_responses(some), qos=0)
                if len(some) > 1 and self._outbox.put(batch):
                    continue
                for payload in some:
                    self._outbox.put(OutgoingMessage(topic, payload, qos=0))

    def _publish_status(self, strategy: Strategy, now: str, *, changed: bool) -> None:
        """Publish the retained status; a change goes to the topic of Basic peers as well, which know no names."""
        payload = self._session.status(strategy, now)
        self._retain(self._topics.status_of(strategy.name), payload, about=strategy.name)
        if changed:
            self._outbox.put(OutgoingMessage(self._topics.status, payload, qos=0))

    def _delete_status(self, name: str) -> None:
        self._retain(self._topics.status_of(name), b"", about=name)

    def _publish_inventory(self) -> None:
        self._retain(self._inventory_topic, self._session.inventory(self._known))

    def _retain(self, topic: str, payload: bytes, *, about: str = "") -> None:
        self._outbox.put(OutgoingMessage(topic, payload, retain=True, about=about))

    def publish_owed(self) -> None:
        """Publish the current status of each strategy whose last one was not delivered."""
        owed, self._owed = self._owed, set()
        now = _now()
        for name in sorted(owed):
            strategy = self._processor.strategies.get(name)
            if strategy is not None:
                self._publish_status(strategy, now, changed=True)
            else:
                self._delete_status(name)

    def _on_lost(self, message: OutgoingMessage) -> None:
        if message.about:
            self._owed.add(message.about)

    def publish_performance(self, performance: Performance) -> None:
        """Publish a strategy's performance."""
        if self._transport.connected:
            self._outbox.put(OutgoingMessage(self._topics.performance, encode(performance), qos=0))

    def publish_log(self, record: LogRecord) -> None:
        """Publish a bot's log record, unless there are too many at once."""
        if self._transport.connected and self._logs.grants(asyncio.get_running_loop().time()):
            self._outbox.put(OutgoingMessage(self._topics.logs, encode(record), qos=0))


def _now() -> str:
    return format_time(datetime.now(UTC))
