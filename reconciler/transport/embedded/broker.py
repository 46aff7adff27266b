"""A broker as a child process: the program, its start on loopback, when it is ready, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import importlib.util
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from reconciler.errors import BrokerError
from reconciler.transport.address import MqttVersion
from reconciler.transport.embedded.parent_death_signal import with_parent_death_signal

HOST = "127.0.0.1"
AMQTT = Path(__file__).with_name("amqtt.py")

READY_S = 15.0
"""How long a broker may take until it listens; amqtt needs a second, on a busy machine several."""

TERMINATE_S = 5.0
"""How long a broker may take to end after SIGTERM."""

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Where packages install Mosquitto; these folders are not on every PATH."""

MOSQUITTO_CONF = """\
# Written at each start; changes are lost.
listener {port} {host}
allow_anonymous true
set_tcp_nodelay true
# No limit: a limit cuts retained snapshots.
max_queued_messages 0
persistence false
log_dest stderr
log_type error
log_type warning
# Without this a broker started by root becomes a user that may not read this folder.
user {user}
"""


class Program(msgspec.Struct, frozen=True):
    """A broker that can be started, and the versions of MQTT that it supports."""

    command: Sequence[str]
    versions: tuple[MqttVersion, ...]


Choose = Callable[[Path, int], Program]
"""(private folder, port) → the program to start."""


def choose_program(folder: Path, port: int) -> Program:
    """Mosquitto if it is installed, else amqtt.

    Raises:
        BrokerError: neither is installed.
    """
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_FOLDERS)
    if mosquitto is None:
        return amqtt(folder, port)
    conf = folder / "mosquitto.conf"
    conf.write_text(MOSQUITTO_CONF.format(host=HOST, port=port, user=getpass.getuser()))
    return Program((mosquitto, "-c", str(conf)), (MqttVersion.V5, MqttVersion.V311))


def amqtt(_folder: Path, port: int) -> Program:
    """The pure Python broker, in a process of its own.

    Raises:
        BrokerError: it is not installed.
    """
    if importlib.util.find_spec("amqtt") is None:
        raise BrokerError(
            "broker.url is embedded:, but neither mosquitto nor amqtt is installed",
            fix="pip install 'hummingbot-reconciler[embedded]'  or  apt-get install mosquitto",
        )
    # -P: `import amqtt` must find the package, not the file of that name, which is what runs.
    return Program((sys.executable, "-P", str(AMQTT), str(port)), (MqttVersion.V311,))


class BrokerProcess:
    """A broker that runs as a child of this process and ends with it."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, versions: tuple[MqttVersion, ...]
    ) -> None:
        self.port = port
        self.versions = versions
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL if that takes too long."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(TERMINATE_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


async def start_broker(folder: Path, port: int, choose: Choose) -> BrokerProcess:
    """Start a broker and wait until it listens. Its output goes to broker.log in `folder`.

    Raises:
        BrokerError: no program, the port is taken, or it did not start; the message has its last line.
    """
    if await listens(port):
        raise BrokerError(
            f"the embedded broker cannot have port {port}: something else listens there",
            fix="write embedded: to let it take a free port",
        )
    program = choose(folder, port)
    log = folder / "broker.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *with_parent_death_signal(*program.command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    broker = BrokerProcess(process, port, program.versions)
    try:
        await _until_ready(broker, log)
    except BaseException:
        await broker.stop()
        raise
    return broker


async def _until_ready(broker: BrokerProcess, log: Path) -> None:
    ended = asyncio.ensure_future(broker.ended())
    try:
        async with asyncio.timeout(READY_S):
            while not ended.done() and not await listens(broker.port):
                await asyncio.wait([ended], timeout=0.02)
    except TimeoutError:
        raise BrokerError(f"the embedded broker does not listen after {READY_S:g} s; see {log}") from None
    finally:
        ended.cancel()
    if ended.done() and not ended.cancelled():
        lines = log.read_text(errors="replace").strip().splitlines()  # noqa: ASYNC240  a short file on this machine
        last = lines[-1] if lines else "it printed nothing"
        raise BrokerError(f"the embedded broker ended at once: {last}", fix=f"see {log}")


async def listens(port: int) -> bool:
    """Whether something on this machine accepts connections at `port`."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(HOST, port)
    except OSError:  # TimeoutError is one too
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def free_port() -> int:
    """A port that no process uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
