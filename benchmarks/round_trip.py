"""Measure 5, and what the transport alone can do, each against its floor in the same run on one Mosquitto.

1. Request to response through the broker, p50: ours against two plain sockets that speak MQTT 3.1.1 by hand.
2. Publishes acknowledged a second: ours against paho's publish-only rate.
3. Retained messages received a second, a snapshot of N: ours, with what the broker cut, if anything.

Usage: python -m benchmarks.round_trip [N]      (default 10,000; unmodified Mosquitto)
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.creates import publish_only
from benchmarks.fleet import file_text, mosquitto
from reconciler.settings import BrokerSettings
from reconciler.transport.base import Message, Properties, Transport
from reconciler.transport.opening import open_transport

ROUNDS = 3_000
WARM_UP = 200
GOAL_ROUND_TRIP = 2.0
GOAL_PUBLISH = 0.40
GOAL_RECEIVE = 12_000

PAYLOAD = file_text(1).encode()
PROPERTIES = Properties(
    response_topic="bench/response/ctl",
    correlation_data=b"0" * 32,
    expiry_s=30,
    content_type="application/json",
)


class PlainClient:
    """The least that can talk to a broker: a blocking socket and packets made by hand, QoS 0, no checks."""

    def __init__(self, port: int, name: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = b"\0\4MQTT\4\2\0\0" + struct.pack("!H", len(name)) + name
        self._socket.sendall(bytes([0x10, len(body)]) + body)
        self._file = self._socket.makefile("rb")
        self.read()

    def subscribe(self, topic: bytes) -> None:
        body = b"\0\1" + struct.pack("!H", len(topic)) + topic + b"\0"
        self._socket.sendall(bytes([0x82, len(body)]) + body)
        self.read()

    def publish(self, topic: bytes, payload: bytes) -> None:
        body = struct.pack("!H", len(topic)) + topic + payload
        length = bytes([len(body) & 127 | 128, len(body) >> 7])
        self._socket.sendall(b"\x30" + length + body)

    def read(self) -> bytes:
        """One packet's body, empty at the end of the connection."""
        head = self._file.read(2)
        if len(head) < 2:
            return b""
        length = head[1] & 127
        if head[1] & 128:
            length |= self._file.read(1)[0] << 7
        return self._file.read(length)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._socket.close()


def plain_round_trips(port: int) -> list[float]:
    """Seconds from each request to its response: two plain clients, the second in a thread."""
    asking, answering = PlainClient(port, b"asking"), PlainClient(port, b"answering")
    asking.subscribe(b"bench/plain/a")
    answering.subscribe(b"bench/plain/q")

    def answer() -> None:
        while answering.read():
            answering.publish(b"bench/plain/a", PAYLOAD)

    thread = threading.Thread(target=answer)
    thread.start()
    times = []
    for _ in range(WARM_UP + ROUNDS):
        started = time.perf_counter()
        asking.publish(b"bench/plain/q", PAYLOAD)
        asking.read()
        times.append(time.perf_counter() - started)
    answering.close()
    thread.join()
    asking.close()
    return times[WARM_UP:]


@asynccontextmanager
async def connected(port: int, name: str) -> AsyncIterator[Transport]:
    transport = open_transport(BrokerSettings(url=f"mqtt://127.0.0.1:{port}"), client_id=name)
    await transport.connect()
    try:
        yield transport
    finally:
        await transport.close()


async def our_round_trips(port: int) -> list[float]:
    """Seconds from each request to its response: QoS 1 both ways, with MQTT 5 properties, as commands go."""
    async with connected(port, "asking") as asking, connected(port, "answering") as answering:
        answered = asyncio.Event()
        answers: set[asyncio.Task[object]] = set()

        def answer(_message: Message) -> None:
            task = asyncio.ensure_future(answering.publish("bench/ours/a", PAYLOAD, properties=PROPERTIES))
            answers.add(task)
            task.add_done_callback(answers.discard)

        answering.on_message(answer)
        asking.on_message(lambda _message: answered.set())
        await answering.subscribe(["bench/ours/q"])
        await asking.subscribe(["bench/ours/a"])
        times = [await _one_round(asking, answered) for _ in range(WARM_UP + ROUNDS)]
    return times[WARM_UP:]


async def _one_round(asking: Transport, answered: asyncio.Event) -> float:
    answered.clear()
    started = time.perf_counter()
    acknowledged = asyncio.ensure_future(asking.publish("bench/ours/q", PAYLOAD, properties=PROPERTIES))
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
                    f"bench/state/{n}", PAYLOAD, retain=True, properties=PROPERTIES, timeout_s=60
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
    whole = arrived == count and received >= GOAL_RECEIVE
    print(
        f"snapshot received  {received:8.0f}/s   {arrived} of {count}   of publish-only {received / floor:.2f}"
    )
    print(f"  goal: all, {GOAL_RECEIVE}/s: {'holds' if whole else 'does not hold'}")


if __name__ == "__main__":
    main()
