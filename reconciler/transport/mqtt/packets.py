"""
PUBLISH and PUBACK, the two packets that nearly all traffic consists of, as bytes and back (MQTT 5, 3.3 and 3.4). Pure.

Rule 1: only a packet that is complete and plainly in order is read here; for every other one the answer is None,
and paho reads it: rare packets, rare properties, and all that is malformed.
Rule 2: nothing is read beyond the end of the packet, and nothing is raised by what was received.

paho needs 60 µs to write a PUBLISH and 40 µs to read a packet of either kind, this module 4 and 3
(docs/decisions/mqtt-client.md).
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.transport.base import Message, Properties, Publish

PUBLISH, PUBACK = 0x30, 0x40
RETAIN, QOS, QOS_1 = 0x01, 0x06, 0x02
"""Bits of a PUBLISH's first byte."""

EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA = 0x02, 0x03, 0x08, 0x09
"""Identifiers of properties (MQTT 5, 2.2.2.2)."""

LENGTH_PREFIXED = frozenset({CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA})
"""Properties whose value follows its length in two bytes; an expiry is a number of four bytes."""

NO_PROPERTIES = b"\0"
"""Stands in MQTT 5 for a packet without properties."""


class PublishPacket(NamedTuple):
    """A PUBLISH. `packet_id`: the two bytes that its acknowledgement repeats; empty at QoS 0."""

    message: Message
    packet_id: bytes


def pack_publish(message: Publish, *, packet_id: int, mqtt5: bool) -> bytes:
    """A PUBLISH at QoS 1, or at QoS 0 if `packet_id` is 0; MQTT 3.1.1 has no properties.

    Raises:
        OverflowError: topic or properties are longer than 65,535 bytes, or an expiry is beyond four bytes.
    """
    head = _length_prefixed(message.topic.encode())
    if packet_id:
        head += packet_id.to_bytes(2, "big")
    if mqtt5:
        head += NO_PROPERTIES if message.properties is None else pack_properties(message.properties)
    first = PUBLISH | (QOS_1 if packet_id else 0) | message.retain
    payload = message.payload
    return b"".join((bytes((first,)), variable_length(len(head) + len(payload)), head, payload))


def pack_properties(properties: Properties) -> bytes:
    """All properties that are set, after their length.

    Raises:
        OverflowError: one is longer than 65,535 bytes, or an expiry is beyond four bytes.
    """
    fields = bytearray()
    if properties.expiry_s is not None:
        fields.append(EXPIRY)
        fields += properties.expiry_s.to_bytes(4, "big")
    if properties.content_type is not None:
        fields.append(CONTENT_TYPE)
        fields += _length_prefixed(properties.content_type.encode())
    if properties.response_topic is not None:
        fields.append(RESPONSE_TOPIC)
        fields += _length_prefixed(properties.response_topic.encode())
    if properties.correlation_data is not None:
        fields.append(CORRELATION_DATA)
        fields += _length_prefixed(properties.correlation_data)
    return variable_length(len(fields)) + fields


def _length_prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def variable_length(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first (MQTT 5, 1.5.5)."""
    encoded = bytearray()
    while True:
        number, group = divmod(number, 128)
        encoded.append(group | (128 if number else 0))
        if not number:
            return bytes(encoded)


def frame(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet that starts at `at` starts and ends; None if the packet is not complete."""
    found = _read_length(data, at + 1)
    if found is None:
        return None
    length, body = found
    end = body + length
    return (body, end) if end <= len(data) else None


def _read_length(data: bytes, at: int) -> tuple[int, int] | None:
    """A number as `variable_length` writes it, and where it ends; None if it is cut off or longer than four bytes."""
    try:
        length = data[at]
        if length < 128:  # noqa: PLR2004  the bit that says: more follows
            return length, at + 1
        length &= 127
        for shift in (7, 14, 21):
            at += 1
            group = data[at]
            length |= (group & 127) << shift
            if group < 128:  # noqa: PLR2004  as above
                return length, at + 1
    except IndexError:
        return None
    return None


def unpack_publish(data: bytes, at: int, body: int, end: int, *, mqtt5: bool) -> PublishPacket | None:
    """The PUBLISH at `at`, framed by `body` and `end`; None leaves it to paho (rule 1)."""
    first = data[at]
    payload = topic_end = body + 2 + int.from_bytes(data[body : body + 2], "big")
    packet_id = b""
    if first & QOS:
        payload += 2
        packet_id = data[topic_end:payload]
        if first & QOS != QOS_1:
            return None
    properties = None
    try:
        if mqtt5:
            properties, payload = _unpack_properties(data, payload, end)
        if payload > end:
            return None
        topic = data[body + 2 : topic_end].decode()
    except ValueError:
        return None
    return PublishPacket(Message(topic, data[payload:end], bool(first & RETAIN), properties), packet_id)


def _unpack_properties(data: bytes, at: int, end: int) -> tuple[Properties | None, int]:
    """The properties at `at` and where they end; None if there are none.

    Raises:
        ValueError: they are not in order, or the product does not use one of them.
    """
    found = _read_length(data, at)
    if found is None:
        raise ValueError("no length")
    length, at = found
    properties_end = at + length
    if properties_end > end:
        raise ValueError("longer than the packet")
    if not length:
        return None, at
    fields: dict[int, bytes] = {}
    while at < properties_end:
        identifier = data[at]
        at += 1
        if identifier in LENGTH_PREFIXED:
            after = at + 2 + int.from_bytes(data[at : at + 2], "big")
            value = data[at + 2 : after]
        elif identifier == EXPIRY:
            after = at + 4
            value = data[at:after]
        else:
            raise ValueError("a property that the product does not use")
        if identifier in fields or after > properties_end:
            raise ValueError("twice, or cut off")
        fields[identifier] = value
        at = after
    reply, kind, expiry = fields.get(RESPONSE_TOPIC), fields.get(CONTENT_TYPE), fields.get(EXPIRY)
    properties = Properties(
        response_topic=None if reply is None else reply.decode(),
        correlation_data=fields.get(CORRELATION_DATA),
        expiry_s=None if expiry is None else int.from_bytes(expiry, "big"),
        content_type=None if kind is None else kind.decode(),
    )
    return properties, properties_end


def unpack_puback(data: bytes, body: int, end: int) -> tuple[int, int] | None:
    """The packet id that is acknowledged, and the reason code; None leaves it to paho (rule 1)."""
    if end < body + 2:
        return None
    return int.from_bytes(data[body : body + 2], "big"), data[body + 2] if end > body + 2 else 0
