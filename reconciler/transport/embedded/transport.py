"""
`embedded:`: one broker for all processes of one machine that share a state folder.

Rule 1: the first process that needs the broker starts it and owns it; broker.json in the folder has its address, and
the others use it (docs/decisions/embedded-broker.md).
Rule 2: it ends with its owner. The next process that needs it starts another, at the same port if that is free.
Rule 3: its owner restarts it if it crashes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec

from reconciler.aio import Backoff, report_failure
from reconciler.errors import BrokerError
from reconciler.files import LOCK_POLL_S, FileLock, FileLocked
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
from reconciler.transport.mqtt.client import MqttTransport

LOCK_S = 2 * READY_S
"""How long another process may take to start the broker."""


class BrokerRecord(msgspec.Struct, frozen=True):
    """The content of broker.json."""

    pid: int
    port: int
    versions: tuple[MqttVersion, ...]

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress(host=HOST, port=self.port, versions=self.versions)


class EmbeddedBroker:
    """The broker of one state folder, this process's or another's. `port`: None takes a free one."""

    def __init__(self, state_dir: Path, port: int | None = None, *, choose: Choose = choose_program) -> None:
        self._file = state_dir / "broker.json"
        self._lock_file = state_dir / "broker.lock"
        self._folder = state_dir / "broker"
        self._port = port
        self._choose = choose
        self._process: BrokerProcess | None = None
        self._restarting: asyncio.Task[None] | None = None

    @property
    def owned(self) -> bool:
        """Whether the broker is a child of this process."""
        return self._process is not None

    async def start(self) -> str:
        """Make sure that the broker runs; its URL.

        Raises:
            BrokerError: it cannot be started, and why.
        """
        return str(await self.address())

    async def address(self) -> BrokerAddress:
        """As `start`, with the versions of MQTT that the broker supports."""
        try:
            running = await self._find() or await self._start_or_find()
        except OSError as error:  # a full disk, a folder that may not be written to
            raise BrokerError(f"the embedded broker cannot be started: {error}") from error
        return running.address

    async def stop(self) -> None:
        """End the broker if this process owns it."""
        restarting, self._restarting = self._restarting, None
        if restarting is not None:
            restarting.cancel()
            await asyncio.wait([restarting])
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
            self._file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Crash the broker if this process owns it, to show that it is restarted."""
        if self._process is not None:
            self._process.kill()

    async def _start_or_find(self) -> BrokerRecord:
        """Start the broker unless another process was faster.

        Raises:
            BrokerError: it cannot be started, or another process has been starting it for `LOCK_S`.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(FileLock(self._lock_file)) as lock:
            try:
                async with asyncio.timeout(LOCK_S):
                    while not _acquired(lock):  # noqa: ASYNC110  a lock between processes has no event
                        await asyncio.sleep(LOCK_POLL_S)
            except TimeoutError:
                raise BrokerError(
                    f"another process has been starting the embedded broker for {LOCK_S:g} s"
                ) from None
            return await self._find() or await self._start()

    async def _start(self) -> BrokerRecord:
        port, former = self._port, self._read()
        if port is None:
            former_is_free = former is not None and not await listens(former.port)
            port = former.port if former is not None and former_is_free else free_port()
        process = await start_broker(self._folder, port, self._choose)
        running = BrokerRecord(process.pid, process.port, process.versions)
        self._file.write_bytes(msgspec.json.encode(running))
        self._process = process
        if self._restarting is None or self._restarting.done():
            self._restarting = asyncio.create_task(self._restart(), name="embedded broker")
            report_failure(self._restarting, "keeping the embedded broker running failed")
        return running

    async def _restart(self) -> None:
        """Start the broker again each time it ends, unless another process does (rule 3)."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while self._process is not None:
            since, process = clock(), self._process
            await process.ended()
            backoff.lasted(clock() - since)
            await asyncio.sleep(backoff.next_s())
            with contextlib.suppress(BrokerError):
                await self.address()
            if self._process is process and await self._find():
                self._process = None  # another process owns it now

    async def _find(self) -> BrokerRecord | None:
        """The broker that runs already, if one does."""
        running = self._read()
        if running is None:
            return None
        try:
            os.kill(running.pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass  # another user's
        return running if await listens(running.port) else None

    def _read(self) -> BrokerRecord | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=BrokerRecord)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def _acquired(lock: FileLock) -> bool:
    """Whether the lock was free; it never waits, since the event loop goes on meanwhile."""
    try:
        lock.acquire()
    except FileLocked:
        return False
    return True


class EmbeddedTransport(MqttTransport):
    """A transport that brings its broker along; `close` ends that too if this process owns it."""

    def __init__(
        self, broker: EmbeddedBroker, identity: ClientIdentity, *, connect_timeout_s: float = 10.0
    ) -> None:
        super().__init__(broker.address, identity, connect_timeout_s=connect_timeout_s)
        self.broker = broker

    async def close(self) -> None:
        """See `Transport.close`."""
        await super().close()
        await self.broker.stop()
