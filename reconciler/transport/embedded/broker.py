"""A broker as a child process: which program, how it is started on loopback, when it is ready, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from reconciler.errors import BrokerError
from reconciler.transport.address import MqttVersion

HOST = "127.0.0.1"
PARENT_DEATH_SIGNAL = Path(__file__).with_name("parent_death_signal.py")
AMQTT = Path(__file__).with_name("amqtt.py")

READY_S = 15.0
"""How long a broker may take to listen; amqtt needs a second, on a busy machine several."""

LEAVE_S = 5.0
"""How long a broker may take to end after SIGTERM."""

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Where packages put Mosquitto, which is not on everybody's PATH."""

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
    """A broker that can be started, and the versions of MQTT that it speaks."""

    command: Sequence[str]
    versions: tuple[MqttVersion, ...]


Choose = Callable[[Path, int], Program]
"""(private folder, port) → the program to start."""


def choose_program(folder: Path, port: int) -> Program:
    """Mosquitto if it is installed, else amqtt.

    Raises:
        BrokerError: neither is there.
    """
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_FOLDERS)
    if mosquitto is not None:
        return _mosquitto(mosquitto, folder, port)
    return amqtt(folder, port)


def _mosquitto(program: str, folder: Path, port: int) -> Program:
    conf = folder / "mosquitto.conf"
    conf.write_text(MOSQUITTO_CONF.format(host=HOST, port=port, user=getpass.getuser()))
    return Program((program, "-c", str(conf)), (MqttVersion.V5, MqttVersion.V311))


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
    # -P: what amqtt imports is not to be found beside our file.
    return Program((sys.executable, "-P", str(AMQTT), str(port)), (MqttVersion.V311,))


class BrokerProcess:
    """A broker that runs as our child and dies with us."""

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
        """Wait until it is gone, however long that takes."""
        await self._process.wait()

    def kill(self) -> None:
        """End it without a chance to do anything."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """Ask it to end, and make it end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


async def start_broker(folder: Path, port: int, choose: Choose) -> BrokerProcess:
    """Start a broker and wait until it listens. Its own words go to broker.log in `folder`.

    Raises:
        BrokerError: no program, the port is taken, or it did not come up; the message has its last words.
    """
    if await listens(port):
        raise BrokerError(
            f"the embedded broker cannot have port {port}: something else listens there",
            fix="write embedded: to let it take a free port",
        )
    program = choose(folder, port)
    log = folder / "broker.log"
    broker = BrokerProcess(await _spawn(program.command, log), port, program.versions)
    try:
        await _ready(broker, log)
    except BaseException:
        await broker.stop()
        raise
    return broker


async def _spawn(command: Sequence[str], log: Path) -> asyncio.subprocess.Process:
    tethered = (sys.executable, "-I", "-S", str(PARENT_DEATH_SIGNAL), str(os.getpid()), *command)
    with _open_empty(log) as output:
        return await asyncio.create_subprocess_exec(
            *tethered, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )


def _open_empty(log: Path) -> BinaryIO:
    return log.open("wb")


async def _ready(broker: BrokerProcess, log: Path) -> None:
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
        raise BrokerError(f"the embedded broker ended at once: {last_line(log)}", fix=f"see {log}")


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
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def last_line(log: Path) -> str:
    """The last words of a program."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
