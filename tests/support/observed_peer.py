"""An agent or a Basic host that publishes, and the picture that is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from reconciler.model.state import Observed, ObservedStrategy, PictureUpdate, Presence
from reconciler.observed.target import ObservedTarget
from reconciler.protocol.canonical import inventory_digest
from reconciler.protocol.topics import Topics

TOPICS = Topics("hummingbot")
WINDOW_S = 30.0


class Peer:
    """Writes what an agent or a Basic host publishes, and hands it to a ObservedTarget."""

    def __init__(self, profile: str = "auto", *, agent: str = "a1", session: str = "s1") -> None:
        self.state = ObservedTarget("default", TOPICS, profile=profile, basic_window_s=WINDOW_S)
        self.agent = agent
        self.session = session
        self.now = 100.0
        self.state.on_connection(connected=True, now=self.now)

    def send(self, topic: str, body: Any, *, retain: bool = False) -> PictureUpdate:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.state.on_message(topic, payload, retain, self.now)

    def deliver(self, messages: Iterable[tuple[str, Any]], *, retain: bool = True) -> None:
        for topic, body in messages:
            self.send(topic, body, retain=retain)

    def basic(self, name: str, state: str = "running", **more: Any) -> PictureUpdate:
        return self.send(TOPICS.status, {"strategy_name": name, "state": state, **more})

    def snapshot(self, *names: str, retain: bool = False) -> PictureUpdate:
        strategies = [{"strategy_name": name, "state": "running"} for name in names]
        return self.send(TOPICS.status, {"strategies": strategies, "timestamp": 1}, retain=retain)

    def presence(
        self, state: str = "online", *, session: str = "", seq: int = 0, **more: Any
    ) -> tuple[str, Any]:
        body = {"agent": self.agent, "state": state, "session": session or self.session, "seq": seq, **more}
        return TOPICS.presence(self.agent), body

    def status(
        self, name: str, seq: int = 1, state: str = "running", *, session: str = "", **more: Any
    ) -> tuple[str, Any]:
        body = {
            "strategy_name": name,
            "state": state,
            "agent": self.agent,
            "session": session or self.session,
            "seq": seq,
            **more,
        }
        return TOPICS.status_of(name), body

    def inventory(self, *names: str, seq: int = 1, session: str = "") -> tuple[str, Any]:
        body = {
            "agent": self.agent,
            "session": session or self.session,
            "seq": seq,
            "count": len(names),
            "digest": inventory_digest(names),
        }
        return TOPICS.inventory(self.agent), body

    def whole(self, *names: str) -> list[tuple[str, Any]]:
        """All retained messages of an agent with these strategies."""
        statuses = [self.status(name, seq) for seq, name in enumerate(names, 1)]
        return [self.presence(), *statuses, self.inventory(*names)]

    def observe(self) -> Observed:
        return self.state.observe(self.now)

    def seen(self, name: str) -> Presence:
        return self.observe().presence(name)

    def held(self, name: str) -> ObservedStrategy:
        held = self.state.believed(name)
        assert held is not None
        return held


def agent_with(*names: str) -> Peer:
    peer = Peer()
    peer.deliver(peer.whole(*names))
    return peer
