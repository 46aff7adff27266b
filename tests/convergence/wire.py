"""What a network and a broker do to messages: lose, double, delay and reorder them, break lines, forget what was retained.

It keeps what every transport promises (reconciler/transport/base.py): nothing arrives over a line that has broken
since, and per topic messages stay in order. Between topics there is none.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable

from reconciler.protocol.topics import TopicKind, Topics
from reconciler.transport.base import ClientIdentity, Message, OnMessage
from reconciler.transport.filters import FilterSet
from reconciler.transport.memory import Hub, MemoryTransport

ROOT = "hummingbot"
TOPICS = Topics(ROOT)
COMMANDS = frozenset({TopicKind.COMMAND})
ANSWERS = frozenset({TopicKind.RESPONSE})
STATES = frozenset({TopicKind.STATUS, TopicKind.PRESENCE, TopicKind.INVENTORY})

LONGEST_DELAY_S = 5.0
"""Of any message; longer than a step waits."""

TICK_S = 1e-6
"""Between two messages of one topic that would come at the same moment: timers of one moment have no order."""


class Weather:
    """What happens to messages now. `lose`, `double`: chances by kind; `delay_s`: the longest delay by kind."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.lose: dict[TopicKind, float] = {}
        self.double: dict[TopicKind, float] = {}
        self.delay_s: dict[TopicKind, float] = {}
        self.under_way = 0

    def set(
        self, kinds: Iterable[TopicKind], *, lose: float = 0.0, double: float = 0.0, delay_s: float = 0.0
    ) -> None:
        for kind in kinds:
            self.lose[kind], self.double[kind], self.delay_s[kind] = lose, double, delay_s

    def calm(self) -> None:
        self.lose, self.double, self.delay_s = {}, {}, {}

    @property
    def delays(self) -> bool:
        """Whether a command may meet another world than that in which it was sent."""
        return self.under_way > 0 or any(self.delay_s.get(kind) for kind in COMMANDS)

    def copies(self, kind: TopicKind) -> int:
        if self.chance.random() < self.lose.get(kind, 0.0):
            return 0
        return 2 if self.chance.random() < self.double.get(kind, 0.0) else 1

    def late_s(self, kind: TopicKind) -> float:
        longest = self.delay_s.get(kind, 0.0)
        return longest * self.chance.random() if longest else 0.0


class Line(MemoryTransport):
    """A client's line to the broker, under the weather."""

    def __init__(self, hub: Hub, who: ClientIdentity, weather: Weather) -> None:
        super().__init__(hub, who)
        self._weather = weather
        self._life = 0
        self._last: Counter[str] = Counter()
        self._behind: dict[str, float] = {}
        self.on_connection(self._on_change)

    def _on_change(self, connected: bool, reason: str) -> None:
        del connected, reason
        self._life += 1
        self._behind.clear()

    def on_message(self, callback: OnMessage) -> None:
        super().on_message(lambda message: self._arrive(message, callback))

    def _arrive(self, message: Message, callback: OnMessage) -> None:
        address = TOPICS.read(message.topic)
        kind = address.kind if address else TopicKind.LOGS
        loop = asyncio.get_running_loop()
        for _ in range(self._weather.copies(kind)):
            due = loop.time() + self._weather.late_s(kind)
            due = max(due, self._behind.get(message.topic, 0.0) + TICK_S)
            if due <= loop.time():
                callback(message)
                continue
            self._behind[message.topic] = due
            self._weather.under_way += 1
            loop.call_at(due, self._late, self._life, message, callback)

    def _late(self, life: int, message: Message, callback: OnMessage) -> None:
        self._weather.under_way -= 1
        if self.connected and life == self._life:
            callback(message)


class Broker(Hub):
    """A broker that can be restarted without its memory."""

    def forget(self) -> None:
        """Lose what is retained; call it while nobody is connected, as after a crash."""
        for message in self.retained(FilterSet(["#"])):
            self.route(Message(message.topic, b"", retain=True))

    def crash(self, lines: Iterable[Line], *, remembers: bool) -> list[Line]:
        """Break every line; return those that would come back by themselves.

        A broker that remembers comes back with what was retained before, not with the wills: it sent none.
        """
        before = self.retained(FilterSet(["#"]))
        broken = [line for line in lines if line.connected]
        for line in broken:
            line.drop("the broker is gone")
        self.forget()
        for message in before if remembers else ():
            self.route(message)
        return broken
