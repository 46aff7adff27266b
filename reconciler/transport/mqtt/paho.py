"""
Packets in and out: PUBLISH and PUBACK are read and written in `packets.py`, all others by paho-mqtt. The only module
that imports paho.

Why paho is used like this (docs/decisions/mqtt-client.md): paho is the given client library, but with every packet in
its hands a snapshot arrives at 19,000 messages a second and 18,000 are published; with these two packets read and
written here it is 240,000 and 32,000 (docs/performance.md; `python -m benchmarks.round_trip`), which three speed goals
need. Connecting, subscribing, keeping alive, disconnecting, and every packet that is rare or malformed stay paho's.
It never sees a published message, so it has none to queue and send again after a reconnection. It gets a
`BufferedStream` instead of a socket, so it never blocks. The price is three private names of paho: `_create_socket`,
`_in_packet` and `_mid_generate`; the contract suite fails on a paho without them.

What to wait for, and how long, is decided in `connection.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode

from reconciler.errors import BrokerError
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity, Message, Properties, Publish
from reconciler.transport.mqtt.packets import (
    PUBACK,
    PUBLISH,
    frame,
    pack_publish,
    unpack_puback,
    unpack_publish,
)
from reconciler.transport.mqtt.stream import BufferedStream

KEEPALIVE_S = 15
"""A dead peer is noticed after at most twice this time: one ping, one wait for its answer."""

RECEIVE_MAXIMUM = 65_535
"""Unacknowledged messages that the client takes: with less, Mosquitto cuts a retained snapshot at QoS 1."""

LARGEST_PACKET = 268_435_455
"""Bytes that an MQTT packet can have (MQTT 5, 1.5.5)."""

BATCH = 20
"""Packets that are read before the caller looks at its clock: half a millisecond's work."""

ACKNOWLEDGED = b"\x40\x02"
"""The start of a PUBACK that reports success."""

TAKEN_OVER = 0x8E
"""Reason code: another client has connected with the same id (MQTT 5, 2.4)."""


class ConnectAck(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The broker's answer to CONNECT: a reason code (MQTT 5, 2.4), its name, and the broker's limits."""

    code: int
    name: str
    receive_maximum: int
    largest_packet: int


class PacketHandler(Protocol):
    """Called with what the broker sends. No method may raise: paho would take that for a malformed packet."""

    def on_connect_ack(self, ack: ConnectAck) -> None: ...

    def on_publish_ack(self, packet_id: int, code: int) -> None: ...

    def on_subscribe_ack(self, packet_id: int, codes: list[int]) -> None: ...

    def on_message(self, message: Message) -> None: ...

    def on_disconnect(self, reason: str) -> None: ...


class _Client(paho.Client):
    """paho on a `BufferedStream` instead of a socket of its own."""

    def __init__(self, stream: BufferedStream, client_id: str, version: MqttVersion) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion(version),
            reconnect_on_failure=False,
        )
        self._stream = stream

    def _create_socket(self) -> BufferedStream:
        return self._stream

    @property
    def has_partial_packet(self) -> bool:
        """Whether it has read a part of a packet, whose rest it must read too."""
        return bool(self._in_packet["command"])

    def next_id(self) -> int:
        """A packet id that none of its own subscriptions uses."""
        return self._mid_generate()


class PacketCodec:
    """Reads and writes the packets of one connection; `handler` is called with what is received."""

    def __init__(
        self,
        stream: BufferedStream,
        address: BrokerAddress,
        version: MqttVersion,
        identity: ClientIdentity,
        handler: PacketHandler,
    ) -> None:
        self._address = address
        self._is_mqtt5 = version is MqttVersion.V5
        self._handler = handler
        self._stream = stream
        self._client = client = _Client(stream, identity.client_id, version)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if identity.will is not None:
            client.will_set(
                identity.will.topic, identity.will.payload, identity.will.qos, identity.will.retain
            )
        client.on_socket_register_write = lambda *_: stream.request_write()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = lambda _client, _data, packet_id, reasons, _properties: (
            handler.on_subscribe_ack(packet_id, [reason.value for reason in reasons])
        )
        self.new_id = client.next_id
        self.write = client.loop_write
        self.keep_alive = client.loop_misc
        self.leave = client.disconnect

    def connect(self) -> None:
        """Send CONNECT, with a new session that ends with the connection."""
        host, port = self._address.host, self._address.port
        if not self._is_mqtt5:
            self._client.connect(host, port, KEEPALIVE_S)
            return
        properties = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect(host, port, KEEPALIVE_S, clean_start=True, properties=properties)

    def publish(self, message: Publish, packet_id: int) -> None:
        """Send a message: at QoS 1 with a `new_id` that is not in use, at QoS 0 with 0.

        Raises:
            BrokerError: it was not sent.
        """
        if not self._stream.is_open:
            raise BrokerError("the message was not sent: the connection is closed")
        self._stream.write(pack_publish(message, packet_id=packet_id, mqtt5=self._is_mqtt5))

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> int:
        """Send a subscription; returns the packet id that its answer will have.

        Raises:
            BrokerError: it was not sent.
        """
        _, packet_id = self._client.subscribe(list(filters))
        if packet_id is None:
            raise BrokerError("the connection is lost; nothing was subscribed to")
        return packet_id

    def read(self) -> None:
        """Read up to `BATCH` of the received packets: the two frequent kinds here, the next of another kind by paho."""
        if not self._client.has_partial_packet:
            data, at = self._stream.look()
            for _ in range(BATCH):
                end = self._read_frequent(data, at)
                if end is None:
                    break
                at = end
            if at == len(data) or end is not None:
                return
        self._client.loop_read()

    def _read_frequent(self, data: bytes, at: int) -> int | None:
        """Read the packet at `at` and return where it ends; None leaves it to paho."""
        framed = frame(data, at)
        if framed is None:
            return None
        body, end = framed
        kind = data[at] & 0xF0
        if kind == PUBLISH:
            published = unpack_publish(data, at, body, end, mqtt5=self._is_mqtt5)
            if published is None:
                return None
            self._stream.skip(end)
            self._handler.on_message(published.message)
            if published.packet_id:
                self._stream.write(ACKNOWLEDGED + published.packet_id)
            return end
        acknowledged = unpack_puback(data, body, end) if kind == PUBACK else None
        if acknowledged is None:
            return None
        self._stream.skip(end)
        self._handler.on_publish_ack(*acknowledged)
        return end

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        properties: PahoProperties | None,
    ) -> None:
        self._handler.on_connect_ack(
            ConnectAck(
                code=reason.value,
                name=str(reason),
                receive_maximum=getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM),
                largest_packet=getattr(properties, "MaximumPacketSize", LARGEST_PACKET),
            )
        )

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        if not flags.is_disconnect_packet_from_server:
            self._handler.on_disconnect(f"the connection broke: {reason}")
        elif reason.value == TAKEN_OVER:
            self._handler.on_disconnect(
                "another client has connected with our client id (session taken over)"
            )
        else:
            self._handler.on_disconnect(f"the broker ended the connection: {reason}")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no subscription matches it
        received = Properties(
            response_topic=getattr(message.properties, "ResponseTopic", None),
            correlation_data=getattr(message.properties, "CorrelationData", None),
            expiry_s=getattr(message.properties, "MessageExpiryInterval", None),
            content_type=getattr(message.properties, "ContentType", None),
        )
        properties = None if received == Properties() else received
        self._handler.on_message(Message(topic, bytes(message.payload), bool(message.retain), properties))


def acknowledgement_name(code: int) -> str:
    """The name of a PUBACK's reason code."""
    return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
