"""WebSockets as the streams see them: lines to speak on, each in order, and what holds all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import WSMsgType, web

HEARTBEAT_S = 30.0
"""A client that answers no ping for this long is gone."""


class Line:
    """One client's WebSocket. `say` never waits: what is said goes out in order as fast as the client reads."""

    def __init__(self, socket: web.WebSocketResponse, query: Mapping[str, str]) -> None:
        self.query = query
        self._socket = socket
        self._said: asyncio.Queue[str] = asyncio.Queue()

    def say(self, message: object) -> None:
        self._said.put_nowait(msgspec.json.encode(message).decode())

    async def speak(self) -> None:
        """Send what is said until cancelled or the client is gone."""
        while not self._socket.closed:
            text = await self._said.get()
            try:
                await self._socket.send_str(text)
            except ConnectionError:
                return


class Stream(Protocol):
    """What is at our end of a line."""

    def opened(self, line: Line) -> None:
        """Greet a client that came."""

    def heard(self, line: Line, message: dict[str, Any]) -> None:
        """Answer a client."""

    def left(self, line: Line) -> None:
        """Forget a client."""


class Lines:
    """All WebSockets that stand."""

    def __init__(self) -> None:
        self._transports: dict[Line, asyncio.Transport | None] = {}

    def __len__(self) -> int:
        return len(self._transports)

    async def serve(self, request: web.Request, stream: Stream) -> web.WebSocketResponse:
        """Speak with one client until one of both goes."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        line = Line(socket, request.query)
        self._transports[line] = request.transport
        speaking = asyncio.create_task(line.speak())
        try:
            stream.opened(line)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    stream.heard(line, msgspec.json.decode(message.data))
        finally:
            speaking.cancel()
            stream.left(line)
            del self._transports[line]
        return socket

    def cut(self) -> int:
        """Break every connection without a farewell; how many there were."""
        count = len(self._transports)
        for transport in self._transports.values():
            if transport is not None:
                transport.abort()
        return count
