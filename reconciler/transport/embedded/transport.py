"""
`embedded:`: one broker for all processes of one machine that share a state folder.

Whoever needs it first starts it and owns it; broker.json in the folder says where it is, and the others use it.
When its owner goes, it goes, and the next who needs it starts another, at the same port if that is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

import msgspec

from reconciler.aio import Backoff
from reconciler.errors import BrokerError
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity
from reconciler.transport.embedded.broker import (
    HOST,
    READY_S,
    BrokerProcess,
    Choose,
    choose_program,
    free_port,
    listens,
    start_broker,
)
from reconciler.transport.listeners import report
from reconciler.transport.mqtt.client import MqttTransport

LOCK_S = 2 * READY_S
"""How long another process may take to start the broker."""


class BrokerRecord(msgspec.Struct, frozen=True):
    """What broker.json says."""

    pid: int
    port: int
    versions: tuple[MqttVersion, ...]

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress(host=HOST, port=self.port, versions=self.versions)


class EmbeddedBroker:
    """The broker of one state folder, ours or another process's. `port`: None takes a free one."""

    def __init__(self, state_dir: Path, port: int | None = None, *, choose: Choose = choose_program) -> None:
        self._note = state_dir / "broker.json"
        self._lock = state_dir / "broker.lock"
        self._folder = state_dir / "broker"
        self._port = port
        self._choose = choose
        self._process: BrokerProcess | None = None
        self._guard: asyncio.Task[None] | None = None

    @property
    def owned(self) -> bool:
        """Whether it is our child."""
        return self._process is not None

    async def start(self) -> str:
        """Make sure that it runs; its URL.

        Raises:
            BrokerError: it cannot be started; says why.
        """
        return str(await self.address())

    async def address(self) -> BrokerAddress:
        """As `start`, with the versions of MQTT that it speaks."""
        running = await self._find() or await self._start_or_find()
        return running.address

    async def stop(self) -> None:
        """End it if it is ours."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.cancel()
            await asyncio.wait([guard])
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
            self._note.unlink(missing_ok=True)

    def kill(self) -> None:
        """Crash it if it is ours, to show what happens then: it is started again."""
        if self._process is not None:
            self._process.kill()

    async def _start_or_find(self) -> BrokerRecord:
        """Start it, unless another process was faster."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with _locked(self._lock):
            running = await self._find()
            if running is None:
                running = await self._start()
        return running

    async def _start(self) -> BrokerRecord:
        former = self._read_note()
        process = await start_broker(self._folder, await self._choose_port(former), self._choose)
        running = BrokerRecord(process.pid, process.port, process.versions)
        self._note.write_bytes(msgspec.json.encode(running))
        self._process = process
        if self._guard is None or self._guard.done():
            self._guard = asyncio.create_task(self._restart(), name="embedded broker")
            self._guard.add_done_callback(_report_bug)
        return running

    async def _choose_port(self, former: BrokerRecord | None) -> int:
        """The one asked for; else the one it had, where clients look for it; else any."""
        if self._port is not None:
            return self._port
        if former is not None and not await listens(former.port):
            return former.port
        return free_port()

    async def _restart(self) -> None:
        """Start it again whenever it ends, as long as nobody else does."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while self._process is not None:
            since, process = clock(), self._process
            await process.ended()
            backoff.lasted(clock() - since)
            await asyncio.sleep(backoff.next_s())
            with contextlib.suppress(BrokerError):
                await self._start_or_find()
            if self._process is process and await self._find():
                self._process = None  # somebody else's now

    async def _find(self) -> BrokerRecord | None:
        """The broker that runs already, if one does."""
        running = self._read_note()
        alive = running is not None and _exists(running.pid) and await listens(running.port)
        return running if alive else None

    def _read_note(self) -> BrokerRecord | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=BrokerRecord)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


class EmbeddedTransport(MqttTransport):
    """A transport that brings its broker along; `close` ends that too if we started it."""

    def __init__(
        self, broker: EmbeddedBroker, who: ClientIdentity, *, connect_timeout_s: float = 10.0
    ) -> None:
        super().__init__(broker.address, who, connect_timeout_s=connect_timeout_s)
        self.broker = broker

    async def close(self) -> None:
        """See `Transport.close`."""
        await super().close()
        await self.broker.stop()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """Hold a lock between processes; a process that dies lets go of it.

    Raises:
        BrokerError: another process held it for LOCK_S.
    """
    with _open(path) as file:
        try:
            async with asyncio.timeout(LOCK_S):
                while not _try_lock(file):  # noqa: ASYNC110  a lock between processes has no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise BrokerError(
                f"another process has been starting the embedded broker for {LOCK_S:g} s"
            ) from None
        yield


def _open(path: Path) -> TextIO:
    return path.open("a")


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _report_bug(guard: asyncio.Task[None]) -> None:
    error = None if guard.cancelled() else guard.exception()
    if error is not None:
        report(error, "keeping the embedded broker running failed")
