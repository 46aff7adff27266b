"""Every transport, over its real broker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from reconciler.transport.address import MqttVersion
from reconciler.transport.base import Transport, Will
from reconciler.transport.embedded.broker import AMQTT
from tests.support.brokers import READY_S, Mosquitto, free_port
from tests.support.transport_recorder import TransportRecorder
from tests.support.transport_sites import BrokerSite, FaultySite, MemorySite, Site


@pytest.fixture(scope="module")
def mosquitto_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker.port
    broker.stop()


@pytest.fixture(scope="module")
def amqtt_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    log = tmp_path_factory.mktemp("amqtt") / "log"
    with log.open("wb") as output:
        child = subprocess.Popen([sys.executable, "-P", AMQTT, str(port)], stdout=output, stderr=output)
    _wait_for(port, log)
    yield port
    child.terminate()
    child.wait(READY_S)


def _wait_for(port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while subprocess.run(
        ["bash", "-c", f"</dev/tcp/127.0.0.1/{port}"], capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.fixture(params=["memory", "faulty", "mosquitto-5", "mosquitto-3.1.1", "amqtt"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    place = _site(request)
    yield place
    await place.leave()


def _site(request: pytest.FixtureRequest) -> Site:
    if request.param == "memory":
        return MemorySite()
    if request.param == "faulty":
        return FaultySite(request.getfixturevalue("root"))
    if request.param == "amqtt":
        return BrokerSite(request.getfixturevalue("amqtt_port"), MqttVersion.V311, evicts=False)
    version = MqttVersion.V5 if request.param == "mosquitto-5" else MqttVersion.V311
    return BrokerSite(request.getfixturevalue("mosquitto_port"), version, evicts=True)


@pytest.fixture
def root() -> str:
    """A root of topics that no other test uses: the brokers outlive a test."""
    return f"test-{uuid4().hex}"


@pytest.fixture
async def meet(site: Site, root: str) -> AsyncIterator[Callable[..., object]]:
    """`meet(name, *filters, will=None)`: a connected transport, subscribed, and its recorder."""
    open_now: list[Transport] = []

    async def connected(
        name: str, *filters: str, will: Will | None = None
    ) -> tuple[Transport, TransportRecorder]:
        transport = await site.transport(f"{root[:14]}-{name}", will)
        recorder = TransportRecorder(transport)
        open_now.append(transport)
        await transport.connect()
        if filters:
            await transport.subscribe(filters)
        return transport, recorder

    yield connected
    for transport in open_now:
        await transport.close()
