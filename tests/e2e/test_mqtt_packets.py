"""Packets of a broker that does as it likes: cut anywhere, with rare properties, out of order, or broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from reconciler.errors import BrokerError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Message, Properties, Publish, Transport
from reconciler.transport.mqtt.packets import pack_properties, pack_publish
from tests.support.brokers import read_packet, scripted_broker
from tests.support.transport_recorder import TransportRecorder

To = Callable[..., Transport]

ACCEPT = bytes.fromhex("2003000000")
"""CONNACK of MQTT 5: success, no properties."""

PLAIN = pack_publish(Publish("a/plain", b"1"), packet_id=0, mqtt5=True)
ASKED = Properties(
    response_topic="a/reply", correlation_data=b"\0id", expiry_s=60, content_type="application/json"
)
WITH_OURS = pack_publish(Publish("a/ours", b"2", retain=True, properties=ASKED), packet_id=5, mqtt5=True)
WITH_THEIRS = b"\x32\x20\0\x08a/theirs\0\6\x12" + pack_properties(ASKED)[1:6] + b"\x26\0\4name\0\4what" + b"3"
"""Besides an expiry it has a User Property, which is ignored."""

LARGE = pack_publish(Publish("a/large", b"x" * 300_000), packet_id=7, mqtt5=True)
RECEIVED = [
    Message("a/plain", b"1"),
    Message("a/ours", b"2", retain=True, properties=ASKED),
    Message("a/theirs", b"3", properties=Properties(expiry_s=60)),
    Message("a/large", b"x" * 300_000),
]

Acknowledged = list[tuple[int, bytes]]


@asynccontextmanager
async def broker(pieces: list[bytes], acknowledged: Acknowledged, puback: bytes = b"") -> AsyncIterator[int]:
    """Accepts a client and its subscription, writes `pieces` piece by piece, then keeps what it gets.

    `puback`: what follows the packet id in the answer to each message at QoS 1.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(ACCEPT)
        _, subscribe = await read_packet(reader)
        writer.write(bytes([0x90, 4]) + subscribe[:2] + b"\0\1")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while True:
            first, body = await read_packet(reader)
            if first >> 4 == 3:
                length = 2 + int.from_bytes(body[:2], "big")
                writer.write(bytes([0x40, 2 + len(puback)]) + body[length : length + 2] + puback)
            else:
                acknowledged.append((first, body))

    async with scripted_broker(script) as port:
        yield port


async def listening(transport_to: To, port: int) -> tuple[Transport, TransportRecorder]:
    transport = transport_to(BrokerSettings(url=f"mqtt://127.0.0.1:{port}"))
    recorder = TransportRecorder(transport)
    await transport.connect()
    await transport.subscribe(["a/+"])
    return transport, recorder


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
async def test_packets_arrive_whole_wherever_they_are_cut(transport_to: To, size: int) -> None:
    acknowledged: Acknowledged = []
    short = pieces(PLAIN + WITH_OURS + WITH_THEIRS, size)
    long = pieces(LARGE + PLAIN, max(size, 1_000))

    async with broker([*short, *long], acknowledged) as port:
        transport, recorder = await listening(transport_to, port)

        assert await recorder.received(5) == [*RECEIVED, RECEIVED[0]]
        await transport.publish(Publish("b", b"answered after all of them"))
        await transport.close()
    assert [body for first, body in acknowledged if first == 0x40] == [b"\0\5", b"\0\6", b"\0\7"]


async def test_many_packets_in_one_piece_are_all_delivered_in_order(transport_to: To) -> None:
    one_by_one = [
        pack_publish(Publish(f"a/{n}", b"%d" % n), packet_id=n % 2, mqtt5=True) for n in range(2_000)
    ]

    async with broker([b"".join(one_by_one)], []) as port:
        transport, recorder = await listening(transport_to, port)
        await recorder.received(2_000)

        assert recorder.payloads == [b"%d" % n for n in range(2_000)]
        await transport.close()


@pytest.mark.parametrize(
    "broken",
    [
        "30ffffffff7f00",
        "3003000561",
        "32040001610000",
        "3007000161ff000000",
        "f00100",
        "3204000161000000000000",
    ],
    ids=["length", "topic", "no id", "properties", "no such packet", "then nonsense"],
)
async def test_a_broken_packet_ends_the_connection_and_nothing_else(transport_to: To, broken: str) -> None:
    async with broker([PLAIN + bytes.fromhex(broken)], []) as port:
        transport, recorder = await listening(transport_to, port)

        reason = await recorder.lost()

        assert "broke" in reason
        assert recorder.messages[0] == RECEIVED[0]
        await recorder.back()
        await transport.close()


async def test_an_acknowledgement_may_refuse(transport_to: To) -> None:
    async with broker([], [], puback=b"\x87\0") as port:
        transport, _ = await listening(transport_to, port)

        with pytest.raises(BrokerError, match="refused a message to b: Not authorized"):
            await transport.publish(Publish("b", b"x"))
        await transport.close()


async def test_an_acknowledgement_of_what_we_never_sent_is_ignored(transport_to: To) -> None:
    async with broker([bytes.fromhex("4002fff0") + PLAIN], []) as port:
        transport, recorder = await listening(transport_to, port)

        assert await recorder.received(1) == RECEIVED[:1]
        await transport.publish(Publish("b", b"x"))
        await transport.close()


async def test_packet_ids_in_flight_are_not_given_twice(transport_to: To) -> None:
    """The ids go round after 65,535; one whose acknowledgement is still awaited is passed over."""
    ids: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(ACCEPT)
        pending = b""
        while chunk := await reader.read(
            2**16
        ):  # all packets have one length, and are taken out of it together
            pending += chunk
            size = 2 + pending[1]
            whole = len(pending) // size * size
            came = [pending[at + 5 : at + 7] for at in range(0, whole, size)]
            pending = pending[whole:]
            writer.write(b"".join(b"\x40\2" + packet_id for packet_id in (came if ids else came[1:])))
            ids.extend(came)

    async with scripted_broker(script) as port:
        transport = transport_to(BrokerSettings(url=f"mqtt://127.0.0.1:{port}"))
        await transport.connect()
        unanswered = asyncio.ensure_future(transport.publish(Publish("a", b""), timeout_s=100))
        await asyncio.sleep(0)
        all_done, left = asyncio.Event(), 67_000

        def on_done(outcome: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                all_done.set()

        for _ in range(67_000):
            transport.post(Publish("a", b""), timeout_s=100, on_done=on_done)
        await all_done.wait()
        unanswered.cancel()

        assert len(ids) == 67_001
        assert ids[0] not in ids[1:]
        await transport.close()
