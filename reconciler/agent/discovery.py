"""
Checks for another agent on a root, and for stale retained statuses, before an agent connects.

Rule 1: what is retained proves nothing about the present: only a heartbeat shows that another agent is alive.
"""

from __future__ import annotations

import asyncio
import contextlib

from reconciler.aio import wait_for_event
from reconciler.errors import BrokerError
from reconciler.protocol.messages import AgentPresence, MalformedMessage
from reconciler.protocol.reports import decode_presence, decode_status
from reconciler.protocol.topics import TopicKind, Topics
from reconciler.transport.base import Message, Transport

_QUIET_S = 0.25
"""Retained messages come in one burst after a subscription; such a pause means that all have arrived."""

_LONGEST_LOOK_S = 10.0
_HEARTBEAT_GRACE_S = 2.0
_LONGEST_WAIT_S = 35.0
"""The longest wait for a heartbeat: three of the usual length (docs/protocol.md, heartbeat_s)."""


class AnotherAgent(BrokerError):
    """Another agent serves the same root: each would carry out every command."""


class Discovery:
    """One look at a root over a connection of its own. `stale`: strategies whose retained status names this agent."""

    def __init__(self, transport: Transport, topics: Topics, agent: str) -> None:
        self.stale: set[str] = set()
        self._transport = transport
        self._topics = topics
        self._agent = agent
        self._online: dict[str, AgentPresence] = {}
        self._alive: set[str] = set()
        self._received = asyncio.Event()

    async def run(self) -> set[str]:
        """Return `stale`.

        Raises:
            AnotherAgent: one is alive under this root.
            BrokerError: out of reach, or it refused us.
        """
        self._transport.on_message(self._on_message)
        await self._transport.connect()
        try:
            await self._transport.subscribe([f"{self._topics.status}/+", self._topics.presence("+")], qos=0)
            async with asyncio.timeout(_LONGEST_LOOK_S):
                quiet = False
                while not quiet:
                    self._received.clear()
                    await wait_for_event(self._received, _QUIET_S)
                    quiet = not self._received.is_set()
            await self._refuse_another()
        except TimeoutError:
            raise BrokerError(
                "the broker does not stop sending statuses; is another agent busy there?"
            ) from None
        finally:
            await self._transport.close()
        return self.stale

    async def _refuse_another(self) -> None:
        """Wait a heartbeat for each agent that a retained message calls online: only a heartbeat proves it.

        Raises:
            AnotherAgent: a heartbeat came.
        """
        loop = asyncio.get_running_loop()
        longest_s = max((presence.heartbeat_s for presence in self._online.values()), default=0.0)
        deadline = loop.time() + min(longest_s + _HEARTBEAT_GRACE_S, _LONGEST_WAIT_S)
        while self._online and loop.time() < deadline:
            if self._alive:
                name = min(self._alive)
                raise AnotherAgent(
                    f"agent {name!r} serves {self._topics.root} already, and every agent carries out every command",
                    fix="stop it first, or give this agent another root",
                )
            await asyncio.sleep(0.05)

    def _on_message(self, message: Message) -> None:
        self._received.set()
        address, payload = self._topics.read(message.topic), message.payload
        if address is None:
            return
        with contextlib.suppress(MalformedMessage):  # then no agent published it
            if address.kind is TopicKind.STATUS and message.retain and payload:
                self.stale.update(
                    status.strategy_name
                    for status in decode_status(payload).statuses
                    if status.agent == self._agent
                )
            elif address.kind is TopicKind.PRESENCE:
                presence = decode_presence(payload) if payload else None
                if presence is None or presence.state == "offline":
                    self._online.pop(address.name, None)
                    self._alive.discard(address.name)
                else:
                    self._online[address.name] = presence
                    if not message.retain:
                        self._alive.add(address.name)
