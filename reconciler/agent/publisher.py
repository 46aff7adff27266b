"""Tells the world: answers, statuses, presence, inventory, figures and logs, each where and how it belongs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
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
"""An inventory is told when a burst of changes pauses, and twice a second during a long one."""

_FAREWELL_S = 5.0
_JSON = "application/json"


class Publisher:
    """What `processor` knows and decided, told over `transport`.

    `_owed`: strategies whose last word did not go out; they are told again at the next heartbeat.
    """

    def __init__(
        self,
        topics: Topics,
        transport: Transport,
        session: AgentSession,
        processor: CommandProcessor,
    ) -> None:
        self._topics = topics
        self._presence_topic = topics.presence(session.agent)
        self._inventory_topic = topics.inventory(session.agent)
        self._transport = transport
        self._session = session
        self._processor = processor
        self._outbox = Outbox(transport, self._on_lost)
        self._inventory_soon = Debouncer(
            self._tell_inventory, quiet_s=_INVENTORY_QUIET_S, longest_s=_INVENTORY_LONGEST_S
        )
        self._known: set[str] = set()
        self._names_changed = False
        self._owed: set[str] = set()
        self._epoch_told = 0
        self._logs = RateLimit(LOGS_PER_S)

    def announce(self) -> None:
        """Tell everything that is retained: to a new connection's broker, which may have forgotten it."""
        self.present()
        self._owed -= self._processor.strategies.keys()
        self.make_up()
        now = _now()
        for strategy in self._processor.strategies.values():
            self._status(strategy, now, changed=False)
        self._known = set(self._processor.strategies)
        self._tell_inventory()

    def present(self) -> None:
        """Say that we are here."""
        self._epoch_told = self._processor.epoch
        self._retained(self._presence_topic, self._session.presence(self._epoch_told))

    async def farewell(self) -> None:
        """Say what is left to say, and that we go; a broker that does not listen does not keep us."""
        self._retained(self._presence_topic, self._session.farewell())
        with contextlib.suppress(TimeoutError):
            await self._outbox.empty(_FAREWELL_S)

    def close(self) -> None:
        """Say nothing any more by ourselves."""
        self._inventory_soon.cancel()

    def clear(self, names: Iterable[str]) -> None:
        """Take back the statuses of strategies that there are no more, with the next announcement."""
        self._owed.update(names)

    # A turn.

    def tell(self, turn: Effects) -> None:
        """Send the answers of a turn, and the statuses of what it changed."""
        self._answer(turn.replies)
        now = _now() if turn.told else ""
        for item in turn.told:
            if isinstance(item, Strategy):
                self._changed(item, now)
            else:
                self._gone(item)
        if self._names_changed:
            self._names_changed = False
            self._inventory_soon.ask()
        if self._processor.epoch != self._epoch_told:
            self.present()

    def _answer(self, replies: Iterable[tuple[Route, Reply]]) -> None:
        """Send each answer where it belongs; those that may travel together do."""
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
                self._together(topic, some)

    def _together(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Send answers for one controller in one message, or one by one to a broker that takes none so long."""
        batch = OutgoingMessage(self._topics.batch_of(topic), pack_responses(payloads), qos=0)
        if len(payloads) > 1 and self._outbox.put(batch):
            return
        for payload in payloads:
            self._outbox.put(OutgoingMessage(topic, payload, qos=0))

    def _changed(self, strategy: Strategy, now: str) -> None:
        if strategy.name not in self._known:
            self._known.add(strategy.name)
            self._names_changed = True
        self._owed.discard(strategy.name)
        self._status(strategy, now, changed=True)

    def _gone(self, name: str) -> None:
        self._known.discard(name)
        self._owed.discard(name)
        self._retained(self._topics.status_of(name), b"", about=name)
        self._names_changed = True

    # Messages.

    def _status(self, strategy: Strategy, now: str, *, changed: bool) -> None:
        """The retained status; a change also goes to those who listen without knowing names (Basic)."""
        payload = self._session.status(strategy, now)
        self._retained(self._topics.status_of(strategy.name), payload, about=strategy.name)
        if changed:
            self._outbox.put(OutgoingMessage(self._topics.status, payload, qos=0))

    def _retained(self, topic: str, payload: bytes, *, about: str = "") -> None:
        self._outbox.put(OutgoingMessage(topic, payload, retain=True, about=about))

    def _tell_inventory(self) -> None:
        self._retained(self._inventory_topic, self._session.inventory(self._known))

    def make_up(self) -> None:
        """Tell what is owed."""
        owed, self._owed = self._owed, set()
        now = _now()
        for name in sorted(owed):
            strategy = self._processor.strategies.get(name)
            if strategy is not None:
                self._status(strategy, now, changed=True)
            else:
                self._retained(self._topics.status_of(name), b"", about=name)

    def _on_lost(self, message: OutgoingMessage) -> None:
        if message.about:
            self._owed.add(message.about)

    def perform(self, figures: Performance) -> None:
        """Tell a strategy's figures."""
        if self._transport.connected:
            self._outbox.put(OutgoingMessage(self._topics.performance, encode(figures), qos=0))

    def log(self, record: LogRecord) -> None:
        """Pass on a bot's log record, unless there are too many at once."""
        if self._transport.connected and self._logs.grants(asyncio.get_running_loop().time()):
            self._outbox.put(OutgoingMessage(self._topics.logs, encode(record), qos=0))


def _now() -> str:
    return format_time(datetime.now(UTC))
