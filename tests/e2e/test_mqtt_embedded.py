"""`embedded:`: a broker as a child process, shared by all who share a state folder, gone with its owner."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import reconciler
from reconciler.errors import BrokerError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import ClientIdentity, Publish, Transport
from reconciler.transport.embedded.broker import Choose, Program, amqtt, choose_program
from reconciler.transport.embedded.transport import EmbeddedBroker, EmbeddedTransport
from tests.support.brokers import free_port
from tests.support.transport_recorder import PATIENCE_S, TransportRecorder

To = Callable[..., Transport]
ROOT = Path(reconciler.__file__).parent.parent
EMBEDDED = BrokerSettings(url="embedded:")

OWNER = """
import asyncio, sys
from pathlib import Path
from reconciler.transport.embedded.transport import EmbeddedBroker

async def main():
    print(await EmbeddedBroker(Path(sys.argv[1])).start(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Callable[..., EmbeddedBroker]]:
    """`embedded(port=None, choose=choose_program)`: a broker of this test's state folder, not yet started."""
    made: list[EmbeddedBroker] = []

    def make(port: int | None = None, choose: Choose = choose_program) -> EmbeddedBroker:
        made.append(EmbeddedBroker(tmp_path / "state", port, choose=choose))
        return made[-1]

    yield make
    for broker in made:
        await broker.stop()


def note(folder: Path) -> dict[str, int]:
    read: dict[str, int] = json.loads((folder / "state" / "broker.json").read_text())
    return read


def start_owner(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A process that owns the broker of `folder`, and the broker's URL."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout is not None
    with owner.stdout as output:
        return owner, output.readline().decode().strip()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  other processes send no events
            await asyncio.sleep(0.01)


async def test_two_transports_of_one_folder_meet(transport_to: To) -> None:
    one, two = transport_to(EMBEDDED, "one"), transport_to(EMBEDDED, "two")
    recorder = TransportRecorder(two)

    await asyncio.gather(one.connect(), two.connect())
    await two.subscribe(["a"])
    await one.publish(Publish("a", b"hello"))

    assert [message.payload for message in await recorder.received()] == [b"hello"]


async def test_amqtt_serves_where_mosquitto_is_missing(embedded: Callable[..., EmbeddedBroker]) -> None:
    transport = EmbeddedTransport(embedded(choose=amqtt), ClientIdentity("amqtt"))
    recorder = TransportRecorder(transport)

    await transport.connect()
    await transport.subscribe(["a"])
    await transport.publish(Publish("a", b"hello"))

    assert [message.payload for message in await recorder.received()] == [b"hello"]
    assert "MQTT 3.1.1" in recorder.connection[0][1]
    await transport.close()


async def test_it_takes_the_port_that_is_set(embedded: Callable[..., EmbeddedBroker]) -> None:
    port = free_port()

    assert await embedded(port).start() == f"mqtt://127.0.0.1:{port}"


async def test_it_listens_on_loopback_alone(embedded: Callable[..., EmbeddedBroker], tmp_path: Path) -> None:
    await embedded().start()
    port = note(tmp_path)["port"]

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), 5.0)  # this machine too, but another address


async def test_stopping_ends_the_process_and_leaves_no_address(
    embedded: Callable[..., EmbeddedBroker], tmp_path: Path
) -> None:
    broker = embedded()
    await broker.start()
    pid = note(tmp_path)["pid"]

    await broker.stop()

    assert not is_alive(pid)
    assert not (tmp_path / "state" / "broker.json").exists()


async def test_a_crashed_broker_comes_back_at_the_same_port(
    embedded: Callable[..., EmbeddedBroker], tmp_path: Path
) -> None:
    broker = embedded()
    transport = EmbeddedTransport(broker, ClientIdentity("one"))
    recorder = TransportRecorder(transport)
    await transport.connect()
    before = note(tmp_path)

    broker.kill()
    await recorder.lost()
    await recorder.back()

    assert note(tmp_path)["port"] == before["port"]
    assert note(tmp_path)["pid"] != before["pid"]
    await transport.close()


async def test_another_process_finds_the_broker_and_leaves_it_alone(
    embedded: Callable[..., EmbeddedBroker], tmp_path: Path
) -> None:
    first, second = embedded(), embedded()

    urls = await asyncio.gather(first.start(), second.start())
    pid = note(tmp_path)["pid"]
    owner, guest = (first, second) if first.owned else (second, first)
    await guest.stop()

    assert urls[0] == urls[1]
    assert (owner.owned, guest.owned) == (True, False)
    assert is_alive(pid)


async def test_it_dies_with_its_owner_and_a_guest_takes_over(tmp_path: Path, transport_to: To) -> None:
    owner, url = await asyncio.to_thread(start_owner, tmp_path / "state")
    guest = transport_to(EMBEDDED)
    recorder = TransportRecorder(guest)
    await guest.connect()
    former = note(tmp_path)["pid"]

    owner.send_signal(signal.SIGKILL)
    owner.wait()
    await recorder.lost()
    await recorder.back()

    assert url in recorder.connection[-1][1]
    assert not is_alive(former)
    assert note(tmp_path)["pid"] != former


async def test_a_stale_address_is_not_believed(
    embedded: Callable[..., EmbeddedBroker], tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    port = free_port()
    stale = {"pid": os.getpid(), "port": port, "versions": [5, 4]}
    (tmp_path / "state" / "broker.json").write_text(json.dumps(stale))

    assert await embedded().start() == f"mqtt://127.0.0.1:{port}"
    assert note(tmp_path)["pid"] != os.getpid()


async def test_a_port_in_use_is_said_with_the_way_out(embedded: Callable[..., EmbeddedBroker]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(BrokerError, match=f"cannot have port {port}") as caught:
            await embedded(port).start()

    assert "embedded:" in caught.value.fix


async def test_a_broker_that_ends_at_once_is_quoted(embedded: Callable[..., EmbeddedBroker]) -> None:
    def broken(_folder: Path, _port: int) -> Program:
        return Program(("/bin/sh", "-c", "echo no licence >&2; exit 3"), ())

    with pytest.raises(BrokerError, match="ended at once: no licence"):
        await embedded(choose=broken).start()


def test_without_any_broker_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(BrokerError, match="neither mosquitto nor amqtt") as caught:
        amqtt(tmp_path, 1)

    assert "pip install 'hummingbot-reconciler[embedded]'" in caught.value.fix
    assert "apt-get install mosquitto" in caught.value.fix
