"""
The socket that paho is given: no socket at all, but two buffers that an asyncio transport fills and empties.

asyncio connects, speaks TLS and waits; paho only reads packets out of what came and writes packets into what
goes. So a packet costs no system call of its own, many leave in one write, and nothing here can block.

Rule 1: read first, parse later. While a burst flows in, the socket is emptied and nothing is parsed: Mosquitto
drops what the kernel's buffers and its own queue of 1,000 cannot hold (docs/decisions/0021).
Rule 2: acknowledge what came at once. Mosquitto sends with Nagle's algorithm unless configured otherwise, so a
response that follows a PUBACK waits for our kernel's acknowledgement, by default 40 ms (docs/decisions/0022).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux's; elsewhere the delay stays, unless the broker has set_tcp_nodelay."""

SMALL = 16_384
"""Bytes that are parsed at once when they come alone: no burst, and parsing them takes under a millisecond."""

SLICE_S = 0.002
"""How long parsing may hold the loop before others get a turn."""

ROOM = 8 * 2**20
"""Bytes of 10,000 statuses of a market maker; Linux grants up to twice its limit."""

RECEIVE_LIMIT = Path("/proc/sys/net/core/rmem_max")

FULL = 64 * 2**20
"""Bytes that may wait to be parsed; beyond that the sender has to wait."""


class Wire(asyncio.Protocol):
    """Buffers between one asyncio transport and one paho client.

    `read` and `write` let paho read or write some packets; `ended` is told when the connection is gone, with
    the error if there was one.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._chunk = b""
        self._at = 0
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._fresh = False
        self._parsing = False
        self._reading_paused = False
        self._out: list[bytes | bytearray] = []
        self._flushing = False
        self._drained = asyncio.Event()
        self._drained.set()
        self._failure: Exception | None = None
        self._closed = False
        self.attach(read=_nothing, write=_nothing, ended=_nothing)

    def attach(
        self,
        *,
        read: Callable[[], object],
        write: Callable[[], object],
        ended: Callable[[Exception | None], None],
    ) -> None:
        """Connect paho's side, before anything arrives: an MQTT client speaks first."""
        self._read, self._write, self._ended = read, write, ended

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        _make_room(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        self._chunks.append(data)
        self._waiting += len(data)
        self._fresh = True
        self._throttle()
        self._acknowledge()
        if self._parsing:
            return
        if len(data) < SMALL:
            self._parse()
        else:
            self._parse_soon()

    def _acknowledge(self) -> None:
        """Make the kernel acknowledge at once; that lasts until it changes its mind, so each time (rule 2)."""
        if QUICKACK is not None:
            with contextlib.suppress(OSError):  # closed meanwhile: the transport notices
                self._socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """What came before the end still counts: the broker's reason stands in its last packet."""
        try:
            while not self._closed and self._pending():
                self._read()
        except Exception as error:  # noqa: BLE001  whatever paho makes of broken packets, the end is told
            self._failure = error
        self._transport, self._closed = None, True
        self._drained.set()
        self._ended(self._failure or exc)

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    async def drained(self) -> None:
        """Wait until what was written has left, but for what the send buffers hold."""
        await self._drained.wait()

    def abort(self, failure: Exception | None = None) -> None:
        """End it now; what is not sent yet is lost."""
        self._failure = self._failure or failure
        if self._transport is not None:
            self._transport.abort()

    # paho's side: what it calls on a socket

    def recv(self, buffer_size: int) -> bytes:
        """At most `buffer_size` bytes that have come.

        Raises:
            BlockingIOError: none have.
        """
        at = self._at
        data = self._chunk[at : at + buffer_size]
        if not data:
            if not self._chunks:
                raise BlockingIOError
            self._chunk, at = self._chunks.popleft(), 0
            self._waiting -= len(self._chunk)
            data = self._chunk[:buffer_size]
        self._at = at + len(data)
        return data

    def send(self, buffer: bytes | bytearray) -> int:
        self._out.append(buffer)
        return len(buffer)

    def close(self) -> None:
        """Send what is written, then end. paho calls this again when it is collected."""
        if self._closed or self._transport is None or self._loop.is_closed():
            return
        self._closed = True
        self._transport.write(b"".join(self._out))
        self._transport.close()

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None:
        """Nothing here ever blocks."""

    # parsing and flushing

    def _pending(self) -> bool:
        return bool(self._chunks) or self._at < len(self._chunk)

    def _parse_soon(self) -> None:
        self._parsing = True
        self._loop.call_soon(self._parse)

    def _parse(self) -> None:
        """Let paho read for a slice of time, unless a burst is still coming in (rule 1)."""
        self._parsing = False
        burst = self._fresh and len(self._chunks) > 1 and not self._reading_paused
        self._fresh = False
        until = time.monotonic() + (0 if burst else SLICE_S)
        try:
            while not burst and not self._closed and self._pending() and time.monotonic() < until:
                self._read()
        except Exception as error:  # noqa: BLE001  broken packets end this connection, not the process
            self.abort(error)
            return
        self._throttle()
        if self._pending() and not self._closed:
            self._parse_soon()

    def _throttle(self) -> None:
        if self._transport is None or self._closed:
            return
        if not self._reading_paused and self._waiting > FULL:
            self._reading_paused = True
            self._transport.pause_reading()
        elif self._reading_paused and self._waiting < FULL // 2:
            self._reading_paused = False
            self._transport.resume_reading()

    def flush_soon(self) -> None:
        """Write everything that this turn of the loop produces in one go at its end."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        self._flushing = False
        self._write()
        if self._transport is not None and not self._closed and self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()


def _make_room(connection: socket.socket) -> None:
    """Let the kernel hold a whole snapshot of 10,000 while this process is busy, if it may hold that much.

    Where it may not, its own growing window is better than a fixed one of the little that it grants.
    """
    with contextlib.suppress(OSError, ValueError):
        if int(RECEIVE_LIMIT.read_text()) >= ROOM // 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)


def _nothing(_error: Exception | None = None) -> None:
    """What a wire does that was cut before anyone was attached to it."""
