"""A look around before an agent speaks: is another one serving this root, and what did an earlier life leave?"""

from __future__ import annotations

import asyncio

from reconciler.errors import BrokerError
from reconciler.protocol.messages import AgentPresence, MalformedMessage, decode_presence, decode_status
from reconciler.protocol.topics import Kind, Topics
from reconciler.transport.base import Message, Transport

_QUIET_S = 0.25
"""Retained messages come in one go after a subscription; such a pause means that they are all here."""

_LONGEST_LOOK_S = 10.0
_HEARTBEAT_GRACE_S = 2.0
_LONGEST_WAIT_S = 35.0
"""For the heartbeat of an agent that a retained message calls online: three heartbeats of the usual length."""


class AnotherAgent(BrokerError):
    """Another agent serves the same root: each would carry out every command."""


class Discovery:
    """What is heard on a connection of its own before the agent begins. `leftovers`: strategies whose
    retained status says that they are this agent's.
    """

    def __init__(self, transport: Transport, topics: Topics, agent: str) -> None:
        self.leftovers: set[str] = set()
        self._transport = transport
        self._topics = topics
        self._agent = agent
        self._online: dict[str, AgentPresence] = {}
        self._alive: set[str] = set()
        self._heard = asyncio.Event()

    async def look_around(self) -> set[str]:
        """Return the leftovers.

        Raises:
            AnotherAgent: one is alive under this root.
            BrokerError: out of reach, or it refused us.
        """
        self._transport.on_message(self._on_message)
        await self._transport.connect()
        try:
            await self._transport.subscribe([f"{self._topics.status}/+", self._topics.presence("+")], qos=0)
            async with asyncio.timeout(_LONGEST_LOOK_S):
                await self._all_heard()
            await self._all_silent()
        except TimeoutError:
            raise BrokerError(
                "the broker does not stop sending statuses; is another agent busy there?"
            ) from None
        finally:
            await self._transport.close()
        return self.leftovers

    async def _all_heard(self) -> None:
        while True:
            self._heard.clear()
            try:
                async with asyncio.timeout(_QUIET_S):
                    await self._heard.wait()
            except TimeoutError:
                return

    async def _all_silent(self) -> None:
        """Wait a heartbeat for each agent that is said to be online: the broker may only remember it."""
        loop = asyncio.get_running_loop()
        patience_s = max((presence.heartbeat_s for presence in self._online.values()), default=0.0)
        deadline = loop.time() + min(patience_s + _HEARTBEAT_GRACE_S, _LONGEST_WAIT_S)
        while self._online and loop.time() < deadline:
            if self._alive:
                name = min(self._alive)
                raise AnotherAgent(
                    f"agent {name!r} serves {self._topics.root} already, and every agent carries out every command",
                    fix="stop it first, or give this agent another root",
                )
            await asyncio.sleep(0.05)

    def _on_message(self, message: Message) -> None:
        self._heard.set()
        address = self._topics.read(message.topic)
        try:
            if address is not None and address.kind is Kind.STATUS and message.retain and message.payload:
                self._take_status(message.payload)
            elif address is not None and address.kind is Kind.PRESENCE:
                self._take_presence(address.name, message)
        except MalformedMessage:
            return  # whoever wrote it, it is no agent's

    def _take_status(self, payload: bytes) -> None:
        for status in decode_status(payload).statuses:
            if status.agent == self._agent:
                self.leftovers.add(status.strategy_name)

    def _take_presence(self, name: str, message: Message) -> None:
        presence = decode_presence(message.payload) if message.payload else None
        if presence is None or presence.state == "offline":
            self._online.pop(name, None)
            self._alive.discard(name)
            return
        self._online[name] = presence
        if not message.retain:
            self._alive.add(name)
