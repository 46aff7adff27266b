"""Ten thousand retained messages on an unmodified Mosquitto (`mosquitto -p PORT`) arrive, all of them.

On a busy machine the broker may cut a snapshot; then it is asked for again, as the fleet's client does.
"""

from __future__ import annotations

import asyncio

import pytest

from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity, Publish
from reconciler.transport.mqtt.client import MqttTransport
from tests.support.brokers import Mosquitto
from tests.support.transport_recorder import TransportRecorder

COUNT = 10_000
STATUS = b'{"strategy_name":"mm-00000","state":"running","config":{' + b'"bid_spread":0.1,' * 15 + b'"x":0}}'


def transport(broker: Mosquitto, name: str, version: MqttVersion) -> MqttTransport:
    address = BrokerAddress(host=broker.host, port=broker.port, versions=(version,))

    async def where() -> BrokerAddress:
        return address

    return MqttTransport(where, ClientIdentity(name))


@pytest.mark.parametrize(
    ("version", "qos"), [(MqttVersion.V5, 0), (MqttVersion.V5, 1), (MqttVersion.V311, 0)]
)
async def test_a_large_snapshot_arrives_whole(mosquitto: Mosquitto, version: MqttVersion, qos: int) -> None:
    writer, reader = transport(mosquitto, "writer", version), transport(mosquitto, "reader", version)
    recorder = TransportRecorder(reader)
    await writer.connect()
    await reader.connect()
    await asyncio.gather(
        *(writer.publish(Publish(f"bot/status/mm-{n:05}", STATUS, retain=True)) for n in range(COUNT))
    )

    every = {f"bot/status/mm-{n:05}" for n in range(COUNT)}
    while not every <= {message.topic for message in recorder.messages}:
        await reader.subscribe(["bot/status/+"], qos=qos)
        before = -1
        while before != len(recorder.messages) < COUNT:
            before = len(recorder.messages)
            await asyncio.sleep(0.5)

    assert {message.topic for message in recorder.messages} == every
    await writer.close()
    await reader.close()
