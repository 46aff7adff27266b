"""
MQTT packets in and out. The only module that imports paho.

paho connects, subscribes, pings, leaves and reads every packet that is not plainly in order. PUBLISH and PUBACK are
read and written here: paho takes ten times as long for them (docs/decisions/mqtt-client.md). paho sees no message of
ours, so it has none to keep and send again. What to wait for, and how long, is `connection.py`'s.
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
"""A dead peer is noticed after at most two of these: one to ask, one to wait for the answer."""

RECEIVE_MAXIMUM = 65_535
"""How many unacknowledged messages we take: with less, Mosquitto cuts a retained snapshot at QoS 1."""

LARGEST = 268_435_455
"""Bytes that an MQTT packet can have (MQTT 5, 1.5.5)."""

AT_ONCE = 20
"""Packets that are read before the caller looks at its clock: half a millisecond's work."""

ACKNOWLEDGED = b"\x40\x02"
"""How a PUBACK begins that says success."""

TAKEN_OVER = 0x8E
NONE = Properties()


class ConnectAck(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The broker's answer to CONNECT: a reason code (MQTT 5, 2.4), its name, and what it can take."""

    code: int
    name: str
    receive_maximum: int
    largest: int


class PacketHandler(Protocol):
    """Who is told what the broker says. None of it may raise: paho would take it for a broken packet."""

    def on_answer(self, answer: ConnectAck) -> None: ...

    def on_acknowledged(self, packet_id: int, code: int) -> None: ...

    def on_subscribed(self, packet_id: int, codes: list[int]) -> None: ...

    def on_message(self, message: Message) -> None: ...

    def on_leaving(self, reason: str) -> None: ...


class _Client(paho.Client):
    """paho on our wire instead of a socket of its own."""

    def __init__(self, wire: BufferedStream, client_id: str, version: MqttVersion) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion(version),
            reconnect_on_failure=False,
        )
        self._wire = wire

    def _create_socket(self) -> BufferedStream:
        return self._wire

    @property
    def has_begun(self) -> bool:
        """Whether it has read a part of a packet."""
        return bool(self._in_packet["command"])

    def next_id(self) -> int:
        """A packet id that is not one of its own subscriptions'."""
        return self._mid_generate()


class PacketCodec:
    """Packets of one connection. `heard` is told what comes in."""

    def __init__(
        self,
        wire: BufferedStream,
        address: BrokerAddress,
        version: MqttVersion,
        who: ClientIdentity,
        heard: PacketHandler,
    ) -> None:
        self._address = address
        self._version = version
        self._is_mqtt5 = version is MqttVersion.V5
        self._heard = heard
        self._wire = wire
        self._client = client = _Client(wire, who.client_id, version)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if who.will is not None:
            client.will_set(who.will.topic, who.will.payload, who.will.qos, who.will.retain)
        client.on_socket_register_write = lambda *_: wire.paho_writes()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        self.new_id = client.next_id
        self.write = client.loop_write
        self.keep_alive = client.loop_misc
        self.leave = client.disconnect

    def connect(self) -> None:
        """Ask to be accepted, with a fresh session that ends with the connection."""
        host, port = self._address.host, self._address.port
        if self._version is not MqttVersion.V5:
            self._client.connect(host, port, KEEPALIVE_S)
            return
        properties = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect(host, port, KEEPALIVE_S, clean_start=True, properties=properties)

    def publish(self, message: Publish, *, packet_id: int) -> None:
        """Send `message`: at QoS 1 with a `new_id` that is not in use, at QoS 0 with 0.

        Raises:
            BrokerError: it was not sent.
        """
        if not self._wire.is_open:
            raise BrokerError("the message was not sent: the connection is closed")
        self._wire.write(pack_publish(message, packet_id=packet_id, mqtt5=self._is_mqtt5))

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> int:
        """Send a subscription; the packet id that its answer will have.

        Raises:
            BrokerError: it was not sent.
        """
        _, packet_id = self._client.subscribe(list(filters))
        if packet_id is None:
            raise BrokerError("the connection is lost; nothing was subscribed to")
        return packet_id

    def read(self) -> None:
        """Read some of what came: the two frequent packets here, the next of another kind by paho."""
        if not self._client.has_begun:
            data, at = self._wire.look()
            for _ in range(AT_ONCE):
                end = self._read_one(data, at)
                if end is None:
                    break
                at = end
            if at == len(data) or end is not None:
                return
        self._client.loop_read()

    def _read_one(self, data: bytes, at: int) -> int | None:
        """Read the packet at `at` and say where it ends; None if it is paho's."""
        framed = frame(data, at)
        if framed is None:
            return None
        body, end = framed
        kind = data[at] & 0xF0
        if kind == PUBLISH:
            published = unpack_publish(data, at, body, end, mqtt5=self._is_mqtt5)
            if published is None:
                return None
            self._wire.skip(end)
            self._heard.on_message(published.message)
            if published.packet_id:
                self._wire.write(ACKNOWLEDGED + published.packet_id)
            return end
        acknowledged = unpack_puback(data, body, end) if kind == PUBACK else None
        if acknowledged is None:
            return None
        self._wire.skip(end)
        self._heard.on_acknowledged(*acknowledged)
        return end

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        properties: PahoProperties | None,
    ) -> None:
        self._heard.on_answer(
            ConnectAck(
                code=reason.value,
                name=str(reason),
                receive_maximum=getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM),
                largest=getattr(properties, "MaximumPacketSize", LARGEST),
            )
        )

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _props: object,
    ) -> None:
        if not flags.is_disconnect_packet_from_server:
            self._heard.on_leaving(f"the connection broke: {reason}")
        elif reason.value == TAKEN_OVER:
            self._heard.on_leaving("another client has connected with our client id (session taken over)")
        else:
            self._heard.on_leaving(f"the broker ended the connection: {reason}")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no subscription of ours can mean it
        properties = _unpack(message.properties) if message.properties is not None else None
        self._heard.on_message(Message(topic, bytes(message.payload), bool(message.retain), properties))

    def _on_subscribe(
        self, _client: paho.Client, _data: object, mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        self._heard.on_subscribed(mid, [reason.value for reason in reasons])


def acknowledgement_name(code: int) -> str:
    """What a PUBACK's reason code says."""
    return str(ReasonCode(PacketTypes.PUBACK, identifier=code))


def _unpack(properties: PahoProperties) -> Properties | None:
    """Those properties of a received message that we know; None if there are none."""
    found = Properties(
        response_topic=getattr(properties, "ResponseTopic", None),
        correlation_data=getattr(properties, "CorrelationData", None),
        expiry_s=getattr(properties, "MessageExpiryInterval", None),
        content_type=getattr(properties, "ContentType", None),
    )
    return None if found == NONE else found
