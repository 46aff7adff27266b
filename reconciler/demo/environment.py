"""The environment of the demo: a temporary Git repository, an embedded broker, and child processes of `reconciler`.

Everything is on 127.0.0.1 and in one folder. `open_environment` stops every process and removes the folder on exit.
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
    """The demo failed; the message says what went wrong."""


class DemoProcess:
    """A `reconciler` process in the background; its stdout and stderr go to a log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self.read = 0
        self._process = process

    def check(self) -> None:
        """Check that it still runs.

        Raises:
            DemoFailed: it ended; the message has the last lines of its log.
        """
        if self._process.returncode is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
            raise DemoFailed(f"the {self.name} ended by itself: {' / '.join(last) or 'it printed nothing'}")

    def new_lines(self) -> list[str]:
        """The complete lines logged since the last call."""
        text = self.log.read_bytes()[self.read :]
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return whole.decode(errors="replace").splitlines()

    async def stop(self) -> None:
        """Terminate it; kill it if it has not ended within LEAVE_S."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class DemoEnvironment:
    """The demo's folder, its broker and its background processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = EmbeddedBroker(folder / ".reconciler")
        self._children: list[DemoProcess] = []

    # -- files and Git

    @property
    def strategies(self) -> list[Path]:
        """The strategy files, by name."""
        return sorted((self.folder / "strategies").glob("*.yaml"))

    def write_files(self) -> None:
        """Copy the example fleet, the schemas that editors need, and the settings."""
        shutil.copytree(examples_dir() / "fleet", self.folder / "strategies")
        for file in self.strategies:
            file.write_text(file.read_text().replace("../../schemas/", "../schemas/"))
        shutil.copytree(schemas_dir(), self.folder / "schemas")
        settings = (examples_dir() / SETTINGS).read_text()
        (self.folder / SETTINGS).write_text(re.sub(r"url: mqtt\S*", "url: 'embedded:'", settings))
        (self.folder / ".gitignore").write_text(".reconciler/\n")

    async def git(self, *arguments: str) -> str:
        """Run git in the folder and return its output.

        Raises:
            DemoFailed: it fails.
        """
        code, output = await self._run("git", *_IDENTITY, *arguments)
        if code != 0:
            raise DemoFailed(f"git {' '.join(arguments)}: {output.strip()}")
        return output

    async def commit(self, message: str) -> None:
        await self.git("add", "--all")
        await self.git("commit", "--quiet", "--message", message)

    # -- processes

    async def reconciler(self, *arguments: str) -> tuple[int, str]:
        """Run `reconciler …` in the folder; returns its exit code and its stdout and stderr together."""
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

    async def start(self, name: str, *arguments: str) -> DemoProcess:
        """Start `reconciler …` in the background; it ends with the environment."""
        log = self.folder / ".reconciler" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(sys.executable, "-m", "reconciler", *arguments),
                cwd=self.folder,
                env=_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        child = DemoProcess(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Check that every background process still runs.

        Raises:
            DemoFailed: one has ended.
        """
        for child in self._children:
            child.check()

    # -- by hand

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish one message over a connection of its own, as any client of the broker can."""
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
        """Stop the processes, latest first, then the broker: the service ends before the agent, so that it sees no loss."""
        while self._children:
            await self._children.pop().stop()
        await self.broker.stop()


def _environment() -> dict[str, str]:
    """This process's environment without the variables that change git or the settings."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "RECONCILER_"))}
    return {**ours, "PYTHONUNBUFFERED": "1"}


@contextlib.asynccontextmanager
async def open_environment() -> AsyncIterator[DemoEnvironment]:
    """Open an environment with its repository and a running broker; close and remove it at the end of the block.

    Raises:
        BrokerError: no broker can be started.
        DemoFailed: git is missing or fails.
    """
    if shutil.which("git") is None:
        raise DemoFailed("git is not installed", fix="apt-get install git, or your system's package manager")
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-", ignore_cleanup_errors=True) as folder:
        environment = DemoEnvironment(Path(folder))
        try:
            environment.write_files()
            await environment.git("init", "--quiet", "--initial-branch=main")
            await environment.commit("The first strategies")
            await environment.broker.start()
            yield environment
        finally:
            await environment.close()


def expect(code: int, wanted: ExitCode, command: str) -> None:
    """Compare the exit code of a command with the one that the scenario needs.

    Raises:
        DemoFailed: they differ.
    """
    if code != wanted:
        raise DemoFailed(f"`{command}` ended with {code} instead of {wanted:d}")
