"""Real brokers for tests, and a line to them that can be cut. Nothing here asserts."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

READY_S = 10.0


def free_port() -> int:
    """A port on loopback that no process uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """A Mosquitto process on loopback that keeps its port through stops, crashes and starts.

    `config` None: `mosquitto -p PORT` and nothing else. Else a configuration in which `{port}` stands for the
    port; a broker started by root stays root, so that it can read the files of a test.
    """

    def __init__(self, folder: Path, config: str | None = None, args: Sequence[str] = ()) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log = folder / f"mosquitto-{self.port}.log"
        self._command = [_program(), *args]
        self._process: subprocess.Popen[bytes] | None = None
        if config is None:
            self._command += ["-p", str(self.port)]
        else:
            conf = folder / f"mosquitto-{self.port}.conf"
            conf.write_text(config.format(port=self.port) + f"\nuser {getpass.getuser()}\n")
            self._command += ["-c", str(conf)]

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1.0):
                return
            time.sleep(0.01)
        raise RuntimeError(f"mosquitto does not listen: {self.log.read_text()}")

    def stop(self) -> None:
        """End it in order: it disconnects its clients."""
        self._end(lambda process: process.terminate())

    def reload(self) -> None:
        """Let it read its password file and access list again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Make it vanish."""
        self._end(lambda process: process.kill())

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is not None:
            how(process)
            process.wait(READY_S)


def _program() -> str:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("these tests need mosquitto (apt-get install mosquitto)")
    return program


def set_password(file: Path, user: str, password: str) -> None:
    """Let `user` log in with `password`, in a password file of Mosquitto."""
    file.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", file, user, password], check=True, capture_output=True)


class Line:
    """A TCP line to a broker that can be cut and restored; what is in it when it is cut is lost."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._works: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def restore(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Break every connection, and take none until restored."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._writers:
            writer.transport.abort()
        for work in self._works:
            work.cancel()
        if self._works:
            await asyncio.wait(self._works)
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._works.add(task)
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers.add(far_writer)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._works.discard(task)
            for end in (writer, far_writer):
                end.transport.abort()
                self._writers.discard(end)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until its end; ends the other side too."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted_broker(script: Script) -> AsyncIterator[int]:
    """A server that does what `script` says with each connection, then hangs up; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await script(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One MQTT packet: its first byte, and what follows the length."""
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, await reader.readexactly(length)
