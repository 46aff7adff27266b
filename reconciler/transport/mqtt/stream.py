"""
What paho gets instead of a socket: two buffers that an asyncio transport fills and empties.

asyncio connects, encrypts and waits; packets are only read from what was received and added to what is sent. So a
packet costs no system call of its own, many leave in one write, and nothing here can block.

Rule 1: read first, parse later. While a burst arrives, the socket is emptied and nothing is parsed: Mosquitto drops
what the kernel's buffers and its own queue of 1,000 cannot hold.
Rule 2: acknowledge at once. Mosquitto sends with Nagle's algorithm unless configured otherwise, so a response that
follows a PUBACK waits for this kernel's acknowledgement, 40 ms by default.

Both rules, with their measurements: docs/decisions/mqtt-client.md.
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
"""Linux only; elsewhere the delay stays unless the broker has set_tcp_nodelay."""

SMALL = 16_384
"""Fewer bytes than this, read alone, are parsed at once: no burst, and under a millisecond's work."""

SLICE_S = 0.001
"""How long parsing may hold the loop. Reading waits for it, and in the middle of a snapshot Mosquitto drops messages
once nothing is read for 5 ms (measured)."""

ROOM = 8 * 2**20
"""Bytes of 10,000 statuses of a market maker. Linux grants up to twice its limit."""

RECEIVE_LIMIT = Path("/proc/sys/net/core/rmem_max")

FULL = 64 * 2**20
"""Bytes that may wait to be parsed; beyond that reading pauses, so that the sender waits."""


class BufferedStream(asyncio.Protocol):
    """Buffers between one asyncio transport and `PacketCodec`, which attaches itself, with paho.

    `read` reads some packets, `write` makes paho write its own, `ended` is called with the error, if there was one,
    when the connection is gone.
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
        self._write_requested = False
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
        """Connect the packets' side, before anything is received: an MQTT client sends first."""
        self._read, self._write, self._ended = read, write, ended

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        # Let the kernel hold a whole snapshot of 10,000 while this process is busy, if it grants that much;
        # if not, its own growing window is better than a fixed one of the little that it grants.
        with contextlib.suppress(OSError, ValueError):
            if int(RECEIVE_LIMIT.read_text()) >= ROOM // 2:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        self._chunks.append(data)
        self._waiting += len(data)
        self._fresh = True
        self._throttle()
        if QUICKACK is not None:  # the kernel forgets it, so each time (rule 2)
            with contextlib.suppress(OSError):  # closed meanwhile: the transport notices
                self._socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        if self._parsing:
            return
        if len(data) < SMALL:
            self._parse()
        else:
            self._parse_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Read what was received before the end, since the last packet has the broker's reason, then call `ended`."""
        self._transport = None
        try:
            while not self._closed and self._pending():
                self._read()
        except Exception as error:  # noqa: BLE001  malformed packets must not hide the end
            self._failure = error
        self._closed = True
        self._drained.set()
        self._ended(self._failure or exc)

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    async def drained(self, deadline: float) -> None:
        """Wait until what was written has left, apart from what the send buffers hold.

        Raises:
            TimeoutError: it has not by `deadline`, on the loop's clock.
        """
        if not self._drained.is_set():
            async with asyncio.timeout_at(deadline):
                await self._drained.wait()

    def abort(self, failure: Exception | None = None) -> None:
        """End the connection now; what is not sent yet is lost."""
        self._failure = self._failure or failure
        if self._transport is not None:
            self._transport.abort()

    # the packets' side

    @property
    def is_open(self) -> bool:
        """Whether what is written now would be sent."""
        return not self._closed and self._transport is not None and not self._transport.is_closing()

    def look(self) -> tuple[bytes, int]:
        """What was received and where in it the next packet starts; nothing is left if that is its end."""
        if self._at == len(self._chunk) and self._chunks:
            self._next_chunk()
        return self._chunk, self._at

    def skip(self, to: int) -> None:
        """Continue at `to` in what `look` returned."""
        self._at = to

    def write(self, packet: bytes) -> None:
        """Send a whole packet: the first in a turn of the loop now, the others together at its end.

        On a closed connection it is dropped; a caller that must know checks `is_open`.
        """
        if self._flushing:
            self._out.append(packet)
        elif self._transport is not None and self.is_open:
            self._transport.write(packet)
            self._flush_soon()

    def _next_chunk(self) -> None:
        self._chunk, self._at = self._chunks.popleft(), 0
        self._waiting -= len(self._chunk)

    # paho's side: the methods of a socket that it calls

    def recv(self, buffer_size: int) -> bytes:
        """At most `buffer_size` received bytes.

        Raises:
            BlockingIOError: there are none.
        """
        if self._at == len(self._chunk):
            if not self._chunks:
                raise BlockingIOError
            self._next_chunk()
        data = self._chunk[self._at : self._at + buffer_size]
        self._at += len(data)
        return data

    def send(self, buffer: bytes | bytearray) -> int:
        self._out.append(buffer)
        return len(buffer)

    def close(self) -> None:
        """Send what is written, then close. paho calls this again when it is garbage-collected."""
        if self._closed or self._loop.is_closed():
            return
        self._closed = True
        if self._transport is not None:
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
        """Parse buffered packets for at most `SLICE_S`; skip while a burst is still arriving (rule 1)."""
        self._parsing = False
        burst = self._fresh and len(self._chunks) > 1 and not self._reading_paused
        self._fresh = False
        until = time.monotonic() + (0 if burst else SLICE_S)
        try:
            while not burst and not self._closed and self._pending() and time.monotonic() < until:
                self._read()
        except Exception as error:  # noqa: BLE001  malformed packets end this connection, not the process
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

    def request_write(self) -> None:
        """Make paho write its packets at the end of this turn of the loop."""
        self._write_requested = True
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send everything that this turn of the loop produced in one write."""
        self._flushing = False
        if self._write_requested:
            self._write_requested = False
            self._write()
        if self._out and self._transport is not None and self.is_open:
            self._transport.write(b"".join(self._out))
            self._out.clear()


def _nothing(_error: Exception | None = None) -> None:
    """Stands for the packets' side of a connection that is lost before that is attached."""
