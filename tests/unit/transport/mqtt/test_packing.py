"""Packed properties are what paho reads back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from reconciler.transport.base import Properties
from reconciler.transport.mqtt.packets import pack, variable_length

TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)

PROPERTIES = st.builds(
    Properties,
    response_topic=TEXT,
    correlation_data=st.none() | st.binary(max_size=300),
    expiry_s=st.none() | st.integers(0, 2**32 - 1),
    content_type=TEXT,
)


@given(PROPERTIES)
def test_paho_reads_what_we_pack(properties: Properties) -> None:
    read = PahoProperties(PacketTypes.PUBLISH)

    _, length = read.unpack(pack(properties))

    assert length == len(pack(properties))
    assert properties == Properties(
        response_topic=getattr(read, "ResponseTopic", None),
        correlation_data=getattr(read, "CorrelationData", None),
        expiry_s=getattr(read, "MessageExpiryInterval", None),
        content_type=getattr(read, "ContentType", None),
    )


def test_lengths_are_as_in_the_specification() -> None:
    edges = {0: "00", 127: "7f", 128: "8001", 16_383: "ff7f", 16_384: "808001", 2_097_152: "80808001"}

    assert {number: variable_length(number).hex() for number in edges} == edges
