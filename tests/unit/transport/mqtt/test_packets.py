"""A PUBLISH or PUBACK that is whole and in order is read as it was packed, all else is left to paho; paho reads what is packed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from reconciler.transport.base import Message, Properties, Publish
from reconciler.transport.mqtt.packets import (
    PublishPacket,
    frame,
    pack_properties,
    pack_publish,
    unpack_puback,
    unpack_publish,
    variable_length,
)

TOPIC = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
PROPERTIES = st.builds(
    Properties,
    response_topic=TEXT,
    correlation_data=st.none() | st.binary(max_size=200),
    expiry_s=st.none() | st.integers(0, 2**32 - 1),
    content_type=TEXT,
)
PRINTABLE = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)
PRINTABLE_PROPERTIES = st.builds(
    Properties,
    response_topic=PRINTABLE,
    correlation_data=st.none() | st.binary(max_size=300),
    expiry_s=st.none() | st.integers(0, 2**32 - 1),
    content_type=PRINTABLE,
)
"""paho refuses control characters."""
AROUND = st.binary(max_size=10)


def taken(packet: bytes, *, mqtt5: bool = True) -> PublishPacket | None:
    """What is made of `packet`, which stands alone in its buffer."""
    framed = frame(packet, 0)
    return framed and unpack_publish(packet, 0, *framed, mqtt5=mqtt5)


def packet(body: bytes, first: int = 0x30) -> bytes:
    return bytes([first]) + variable_length(len(body)) + body


@given(TOPIC, st.binary(max_size=20_000), st.integers(0, 65_535), st.booleans(), PROPERTIES, AROUND, AROUND)
def test_what_we_pack_we_unpack_wherever_it_stands(  # noqa: PLR0913, PLR0917  (all that a packet has)
    topic: str,
    payload: bytes,
    packet_id: int,
    retain: bool,
    properties: Properties,
    before: bytes,
    after: bytes,
) -> None:
    packed = pack_publish(
        Publish(topic, payload, retain=retain, properties=properties), packet_id=packet_id, mqtt5=True
    )
    data = before + packed + after

    framed = frame(data, len(before))
    assert framed is not None
    published = unpack_publish(data, len(before), *framed, mqtt5=True)

    assert framed[1] == len(before) + len(packed)
    found = None if properties == Properties() else properties
    number = packet_id.to_bytes(2, "big") if packet_id else b""
    assert published == (Message(topic, payload, retain, found), number)


@given(TOPIC, st.binary(max_size=300), st.integers(0, 65_535))
def test_mqtt_3_1_1_has_no_properties(topic: str, payload: bytes, packet_id: int) -> None:
    published = taken(pack_publish(Publish(topic, payload), packet_id=packet_id, mqtt5=False), mqtt5=False)

    assert published is not None
    assert published.message == Message(topic, payload)


@given(st.integers(0, 200))
def test_a_packet_that_is_not_all_there_is_not_taken(length: int) -> None:
    whole = pack_publish(Publish("a/b", b"x" * length), packet_id=7, mqtt5=True)

    assert [frame(whole[:end], 0) for end in range(len(whole))] == [None] * len(whole)
    assert frame(whole, 0) is not None


@given(st.binary(max_size=80), st.binary(max_size=80), st.booleans())
def test_whatever_comes_nothing_is_raised_nor_read_beyond_the_packet(
    body: bytes, after: bytes, mqtt5: bool
) -> None:
    for first in range(0x30, 0x40):
        data = packet(body, first) + after
        framed = frame(data, 0)
        assert framed is not None
        published = unpack_publish(data, 0, *framed, mqtt5=mqtt5)
        assert published == taken(packet(body, first), mqtt5=mqtt5)


BROKEN = {
    "no topic at all": packet(b""),
    "half a length of the topic": packet(b"\0"),
    "a topic longer than the packet": packet(b"\0\5ab"),
    "a topic that is not UTF-8": packet(b"\0\1\xff\0x"),
    "QoS 1 and no packet id": packet(b"\0\1a\0", 0x32),
    "QoS 2": packet(b"\0\1a\0\1\0x", 0x34),
    "QoS 3, which there is not": packet(b"\0\1a\0\1\0x", 0x36),
    "no properties' length": packet(b"\0\1a"),
    "a properties' length without end": packet(b"\0\1a\xff\xff"),
    "properties longer than the packet": packet(b"\0\1a\5\2\0"),
    "a property cut off": packet(b"\0\1a\2\2\0"),
    "a property twice": packet(b"\0\1a\x0a\2\0\0\0\1\2\0\0\0\1"),
    "a property longer than all of them": packet(b"\0\1a\3\3\0\5"),
    "a content type that is not UTF-8": packet(b"\0\1a\4\3\0\1\xff"),
    "a property of somebody else": packet(b"\0\1a\7\x26\0\1a\0\1b"),
    "a topic alias": packet(b"\0\0\3\x23\0\1x"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_plainly_in_order_is_left_to_paho(name: str) -> None:
    assert taken(BROKEN[name]) is None


def test_a_length_of_more_than_four_bytes_is_left_to_paho() -> None:
    assert frame(b"\x30\xff\xff\xff\xff\x01" + b"x" * 300, 0) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [("40020007", (7, 0)), ("4003000710", (7, 0x10)), ("4004ffff8700", (65_535, 0x87)), ("400107", None)],
)
def test_a_puback_says_what_it_acknowledges_and_how(given: str, expected: tuple[int, int] | None) -> None:
    data = bytes.fromhex(given) + b"\0\0\0"
    framed = frame(data, 0)
    assert framed is not None

    assert unpack_puback(data, *framed) == expected


@given(PRINTABLE_PROPERTIES)
def test_paho_reads_what_we_pack(properties: Properties) -> None:
    read = PahoProperties(PacketTypes.PUBLISH)

    _, length = read.unpack(pack_properties(properties))

    assert length == len(pack_properties(properties))
    assert properties == Properties(
        response_topic=getattr(read, "ResponseTopic", None),
        correlation_data=getattr(read, "CorrelationData", None),
        expiry_s=getattr(read, "MessageExpiryInterval", None),
        content_type=getattr(read, "ContentType", None),
    )


def test_lengths_are_as_in_the_specification() -> None:
    edges = {0: "00", 127: "7f", 128: "8001", 16_383: "ff7f", 16_384: "808001", 2_097_152: "80808001"}

    assert {number: variable_length(number).hex() for number in edges} == edges
