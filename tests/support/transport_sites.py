"""Places where transports meet: in memory, and over real brokers with a line for each that can be cut."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Protocol

from reconciler.agent.faults import Faults, FaultyTransport
from reconciler.protocol.topics import Topics
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity, Transport, Will
from reconciler.transport.memory import Hub, MemoryTransport
from reconciler.transport.mqtt.client import MqttTransport
from tests.support.brokers import Line
from tests.support.transport_recorder import TransportRecorder

BIG = os.urandom(2 * 2**20)


class Site(Protocol):
    """Somewhere to meet: makes transports, and cuts them off as a bad network would."""

    mqtt5: bool
    evicts: bool

    async def transport(self, name: str, will: Will | None = None) -> Transport: ...

    async def cut(self, transport: Transport) -> None: ...

    async def restore(self, transport: Transport) -> None: ...

    async def leave(self) -> None: ...


class MemorySite:
    mqtt5 = True
    evicts = True

    def __init__(self) -> None:
        self.hub = Hub()

    async def transport(self, name: str, will: Will | None = None) -> Transport:
        return MemoryTransport(self.hub, ClientIdentity(name, will))

    async def cut(self, transport: Transport) -> None:
        assert isinstance(transport, MemoryTransport)
        transport.drop()

    async def restore(self, transport: Transport) -> None:
        assert isinstance(transport, MemoryTransport)
        transport.restore()

    async def leave(self) -> None:
        pass


class FaultySite(MemorySite):
    """In memory, behind the faults of an agent under `root`, of which none is set."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._topics = Topics(root)
        self._inner: dict[Transport, MemoryTransport] = {}

    async def transport(self, name: str, will: Will | None = None) -> Transport:
        inner = MemoryTransport(self.hub, ClientIdentity(name, will))
        faulty = FaultyTransport(inner, self._topics, Faults(), random.Random(1))
        self._inner[faulty] = inner
        return faulty

    async def cut(self, transport: Transport) -> None:
        self._inner[transport].drop()

    async def restore(self, transport: Transport) -> None:
        self._inner[transport].restore()


class BrokerSite:
    """A real broker, with a line of its own for each transport."""

    def __init__(self, port: int, version: MqttVersion, *, evicts: bool) -> None:
        self.mqtt5 = version is MqttVersion.V5
        self.evicts = evicts
        self._port = port
        self._version = version
        self._lines: dict[int, Line] = {}

    async def transport(self, name: str, will: Will | None = None) -> Transport:
        line = Line(self._port)
        await line.restore()
        address = BrokerAddress(host="127.0.0.1", port=line.port, versions=(self._version,))

        async def where() -> BrokerAddress:
            return address

        transport = MqttTransport(where, ClientIdentity(name, will))
        self._lines[id(transport)] = line
        return transport

    async def cut(self, transport: Transport) -> None:
        await self._lines[id(transport)].cut()

    async def restore(self, transport: Transport) -> None:
        await self._lines[id(transport)].restore()

    async def leave(self) -> None:
        for line in self._lines.values():
            await line.cut()


Meet = Callable[..., "asyncio.Future[tuple[Transport, TransportRecorder]]"]
