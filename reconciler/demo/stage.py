"""What the demo plays on: a temporary Git repository, a broker, an agent and the service. No story here.

Everything is on 127.0.0.1 and in one folder; whatever happens, `open_stage` leaves no process behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from reconciler.catalog.loading import examples_dir, schemas_dir
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Publish
from reconciler.transport.embedded.parent_death_signal import with_parent_death_signal
from reconciler.transport.embedded.transport import EmbeddedBroker
from reconciler.transport.factory import open_transport

COMMAND_S = 20.0
"""The longest that one command of the demo may take; the usual one takes half a second."""

LEAVE_S = 5.0
"""How long a child may take to leave after SIGTERM."""

SETTINGS = "reconciler.yaml"

_IDENTITY = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")


class DemoFailed(ReconcilerError):
    """The demo did not go as it should; the message says what went wrong."""


class Child:
    """A command of ours that runs beside the demo; what it logs goes to a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self.read = 0
        self._process = process

    def check(self) -> None:
        """Notice that it ended.

        Raises:
            DemoFailed: it did; with its last words.
        """
        if self._process.returncode is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
            raise DemoFailed(f"the {self.name} ended by itself: {' / '.join(last) or 'it said nothing'}")

    def news(self) -> list[str]:
        """The lines that it logged since the last call."""
        text = self.log.read_bytes()[self.read :]
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return whole.decode(errors="replace").splitlines()

    async def stop(self) -> None:
        """Ask it to leave, and make it leave."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Stage:
    """The folder and what runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = EmbeddedBroker(folder / ".reconciler")
        self._children: list[Child] = []

    # -- files and Git

    @property
    def strategies(self) -> list[Path]:
        """The strategy files, by name."""
        return sorted((self.folder / "strategies").glob("*.yaml"))

    def furnish(self) -> None:
        """Copy the example fleet and what editors need beside them."""
        shutil.copytree(examples_dir() / "fleet", self.folder / "strategies")
        for file in self.strategies:
            file.write_text(file.read_text().replace("../../schemas/", "../schemas/"))
        shutil.copytree(schemas_dir(), self.folder / "schemas")
        settings = (examples_dir() / SETTINGS).read_text()
        (self.folder / SETTINGS).write_text(re.sub(r"url: mqtt\S*", "url: 'embedded:'", settings))
        (self.folder / ".gitignore").write_text(".reconciler/\n")

    async def git(self, *arguments: str) -> str:
        """Run git in the folder; its output.

        Raises:
            DemoFailed: it said no.
        """
        code, output = await self._run("git", *_IDENTITY, *arguments)
        if code != 0:
            raise DemoFailed(f"git {' '.join(arguments)}: {output.strip()}")
        return output

    async def commit(self, message: str) -> None:
        await self.git("add", "--all")
        await self.git("commit", "--quiet", "--message", message)

    # -- our own command

    async def reconciler(self, *arguments: str) -> tuple[int, str]:
        """Run `reconciler …` as a person would; its exit code and all that it printed."""
        return await self._run(sys.executable, "-m", "reconciler", *arguments)

    async def _run(self, *command: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                output, _ = await process.communicate()
        except TimeoutError:
            raise DemoFailed(f"{' '.join(command)} takes more than {COMMAND_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode(errors="replace")

    async def start(self, name: str, *arguments: str) -> Child:
        """Start `reconciler …` beside us; it ends with the stage."""
        log = self.folder / ".reconciler" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with _open(log) as output:
            process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(sys.executable, "-m", "reconciler", *arguments),
                cwd=self.folder,
                env=_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Notice a child that ended by itself.

        Raises:
            DemoFailed: one did.
        """
        for child in self._children:
            child.check()

    # -- by hand

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish one message as anybody may who reaches the broker."""
        transport = open_transport(
            BrokerSettings(url="embedded:"),
            client_id=f"by-hand-{secrets.token_hex(3)}",
            state_dir=self.folder / ".reconciler",
        )
        await transport.connect()
        try:
            await transport.publish(Publish(topic, payload))
        finally:
            await transport.close()

    async def close(self) -> None:
        """End everything that runs: the service first, so that it misses nobody."""
        while self._children:
            await self._children.pop().stop()
        await self.broker.stop()


def _open(log: Path) -> BinaryIO:
    return log.open("wb")


def _environment() -> dict[str, str]:
    """Ours without what would point git or the settings elsewhere."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "RECONCILER_"))}
    return {**ours, "PYTHONUNBUFFERED": "1"}


@contextlib.asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """A stage with its repository and a running broker; ended and removed at the end of the block.

    Raises:
        BrokerError: no broker can be started.
        DemoFailed: git is missing or says no.
    """
    if shutil.which("git") is None:
        raise DemoFailed("git is not installed", fix="apt-get install git, or your system's way")
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-", ignore_cleanup_errors=True) as folder:
        stage = Stage(Path(folder))
        try:
            stage.furnish()
            await stage.git("init", "--quiet", "--initial-branch=main")
            await stage.commit("The first strategies")
            await stage.broker.start()
            yield stage
        finally:
            await stage.close()


def expect(code: int, wanted: ExitCode, command: str) -> None:
    """Hold a command to the exit code that the story needs; what it printed has been shown.

    Raises:
        DemoFailed: it ended with another one.
    """
    if code != wanted:
        raise DemoFailed(f"`{command}` ended with {code} instead of {wanted:d}")
