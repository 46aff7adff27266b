"""Measure 5, and what the transport alone can do, each against its floor in the same run on one Mosquitto.

1. Request to response through the broker at QoS 1, p50: ours against a plain socket with packets made by hand,
   the same answering process at the other end.
2. Publishes acknowledged a second: ours against paho's publish-only rate.
3. Retained messages received a second, a snapshot of N: ours, with what the broker cut, if anything.

Usage: python -m benchmarks.round_trip [N]      (default 10,000; unmodified Mosquitto)
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.synchronize import Event

from benchmarks.creates import publish_only
from benchmarks.fleet import file_text, mosquitto
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Properties, Publish, Transport
from reconciler.transport.factory import open_transport
from reconciler.transport.mqtt.packets import variable_length

ROUNDS = 3_000
WARM_UP = 200
GOAL_ROUND_TRIP = 2.0
GOAL_PUBLISH = 0.40

PAYLOAD = file_text(1).encode()
PROPERTIES = Properties(
    response_topic="bench/response/ctl",
    correlation_data=b"0" * 32,
    expiry_s=30,
    content_type="application/json",
)


class PlainClient:
    """The least that can talk to a broker at QoS 1: a blocking socket, packets by hand, nothing checked."""

    def __init__(self, port: int, name: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._send(0x10, b"\0\4MQTT\4\2\0\0" + _sized(name))
        self._read()

    def subscribe(self, topic: bytes) -> None:
        self._send(0x82, b"\0\1" + _sized(topic) + b"\1")
        self._read()

    def publish(self, topic: bytes, payload: bytes) -> None:
        self._send(0x32, _sized(topic) + b"\0\1" + payload)

    def receive(self) -> bool:
        """Wait for a message and acknowledge it; False at the end of the connection."""
        kind, body = self._read()
        while kind not in {0x32, END}:
            kind, body = self._read()
        if kind == 0x32:
            at = 2 + int.from_bytes(body[:2], "big")
            self._send(0x40, body[at : at + 2])
        return kind != END

    def _send(self, kind: int, body: bytes) -> None:
        self._socket.sendall(bytes([kind]) + variable_length(len(body)) + body)

    def _read(self) -> tuple[int, bytes]:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        head = self._file.read(2)
        if len(head) < 2:
            return END, b""
        length = head[1] & 127
        if head[1] & 128:
            length |= self._file.read(1)[0] << 7
        return head[0], self._file.read(length)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


END = 0


def _sized(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def answer(port: int, subscribed: Event) -> None:
    """The other end, the same for both, in a process of its own: answers until it is terminated."""
    client = PlainClient(port, b"answering")
    client.subscribe(b"bench/q")
    subscribed.set()
    while client.receive():
        client.publish(b"bench/a", PAYLOAD)


def plain_round_trips(port: int) -> list[float]:
    """Seconds from each request to its response."""
    client = PlainClient(port, b"asking")
    client.subscribe(b"bench/a")
    times = []
    for _ in range(WARM_UP + ROUNDS):
        started = time.perf_counter()
        client.publish(b"bench/q", PAYLOAD)
        client.receive()
        times.append(time.perf_counter() - started)
    client.close()
    return times[WARM_UP:]


@contextmanager
def answering(port: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    subscribed = context.Event()
    process = context.Process(target=answer, args=(port, subscribed))
    process.start()
    if not subscribed.wait(60.0):
        raise RuntimeError("the answering process has not subscribed")
    yield
    process.terminate()
    process.join()


@asynccontextmanager
async def connected(port: int, name: str) -> AsyncIterator[Transport]:
    transport = open_transport(BrokerSettings(url=f"mqtt://127.0.0.1:{port}"), client_id=name)
    await transport.connect()
    try:
        yield transport
    finally:
        await transport.close()


async def our_round_trips(port: int) -> list[float]:
    """Seconds from each request, sent as commands are, to its response."""
    async with connected(port, "asking") as transport:
        answered = asyncio.Event()
        transport.on_message(lambda _message: answered.set())
        await transport.subscribe(["bench/a"])
        times = [await _one_round(transport, answered) for _ in range(WARM_UP + ROUNDS)]
    return times[WARM_UP:]


async def _one_round(asking: Transport, answered: asyncio.Event) -> float:
    answered.clear()
    started = time.perf_counter()
    acknowledged = asyncio.ensure_future(asking.publish(Publish("bench/q", PAYLOAD, properties=PROPERTIES)))
    await answered.wait()
    took_s = time.perf_counter() - started
    await acknowledged
    return took_s


async def publishes(port: int, count: int) -> float:
    """Publishes a second at QoS 1 with properties, each acknowledged; they stay as a snapshot."""
    async with connected(port, "publishing") as transport:
        started = time.perf_counter()
        await asyncio.gather(
            *(
                transport.publish(
                    Publish(f"bench/state/{n}", PAYLOAD, retain=True, properties=PROPERTIES), timeout_s=60
                )
                for n in range(count)
            )
        )
        return count / (time.perf_counter() - started)


async def receives(port: int, count: int) -> tuple[int, float]:
    """How many of `count` retained messages arrive, and how many a second, at QoS 0 as the reconciler asks."""
    async with connected(port, "receiving") as transport:
        times: list[float] = []
        transport.on_message(lambda _message: times.append(time.perf_counter()))
        started = time.perf_counter()
        await transport.subscribe(["bench/state/+"], qos=0)
        seen = -1
        while seen < len(times) < count:
            seen = len(times)
            await asyncio.sleep(0.5)
    return len(times), len(times) / (times[-1] - started)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with mosquitto() as port:
        with answering(port):
            plain_s = statistics.median(plain_round_trips(port))
            ours_s = statistics.median(asyncio.run(our_round_trips(port)))
        floor = publish_only(port, count)
        published = asyncio.run(publishes(port, count))
        arrived, received = asyncio.run(receives(port, count))
    ratio = ours_s / plain_s
    print(
        f"round trip p50     {ours_s * 1e3:8.3f} ms   plain sockets {plain_s * 1e3:8.3f} ms   ratio {ratio:.2f}"
    )
    print(
        f"  goal: at most {GOAL_ROUND_TRIP:.1f}: {'holds' if ratio <= GOAL_ROUND_TRIP else 'does not hold'}"
    )
    share = published / floor
    print(f"publish + PUBACK   {published:8.0f}/s   paho publish-only {floor:8.0f}/s   ratio {share:.2f}")
    print(f"  goal: at least {GOAL_PUBLISH:.2f}: {'holds' if share >= GOAL_PUBLISH else 'does not hold'}")
    print(
        f"snapshot received  {received:8.0f}/s   {arrived} of {count}   of publish-only {received / floor:.2f}"
    )
    print(f"  goal: all of them: {'holds' if arrived == count else 'does not hold'}")


if __name__ == "__main__":
    main()
