"""Records what a transport reports to a test, messages and changes of the connection, and waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reconciler.transport.base import Message, Transport

PATIENCE_S = 20.0
"""How long a test waits for what must come; only a failing test waits that long."""


class TransportRecorder:
    """Everything that one transport reports, in order; `events` mixes messages and changes of the connection."""

    def __init__(self, transport: Transport) -> None:
        self.messages: list[Message] = []
        self.connection: list[tuple[bool, str]] = []
        self.events: list[str] = []
        self._news = asyncio.Event()
        transport.on_message(self._on_message)
        transport.on_connection(self._on_connection)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    def _on_message(self, message: Message) -> None:
        self.messages.append(message)
        self.events.append(message.topic)
        self._news.set()

    def _on_connection(self, connected: bool, reason: str) -> None:
        self.connection.append((connected, reason))
        self.events.append("connected" if connected else "lost")
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until an event makes `condition` true."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def received(self, count: int = 1) -> list[Message]:
        """Wait for `count` messages in all."""
        await self.until(lambda: len(self.messages) >= count)
        return self.messages

    async def lost(self, times: int = 1) -> str:
        """Wait for the connection to be lost for the `times`-th time; the last reason."""
        await self.until(lambda: self._losses() >= times)
        return self.connection[-1][1]

    async def back(self) -> None:
        """Wait until the connection stands."""
        await self.until(lambda: bool(self.connection) and self.connection[-1][0])

    def _losses(self) -> int:
        return sum(not connected for connected, _ in self.connection)
