"""`agent install` with the real uv and a small package called hummingbot, in a folder of its own."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from reconciler.agent.install.environment import default_folder
from tests.support.cli_project import COMMAND, LIMIT_S, clean_environment
from tests.support.conditions import until
from tests.support.wheelhouse import Wheelhouse


class Shop:
    """The command in a folder of its own; `state` is the agent's."""

    def __init__(self, folder: Path, wheels: Wheelhouse) -> None:
        self.folder = folder
        self.wheels = wheels
        self.state = folder / "state"
        self.place = default_folder(self.state)

    def command(self, *arguments: str) -> list[str]:
        return [*COMMAND, "agent", "--state-dir", str(self.state), "install", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """`more` wins; what is empty there is not set at all."""
        merged = {**self.wheels.environment, **more}
        return clean_environment(**{name: value for name, value in merged.items() if value})

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self) -> subprocess.Popen[bytes]:
        """Begin an install that hangs in its build, and wait until it does."""
        self.wheels.add_that_waits()
        child = subprocess.Popen(
            self.command(), cwd=self.folder, env=self.environment(), stderr=subprocess.DEVNULL
        )
        asyncio.run(until(self.wheels.busy.exists))
        return child

    def builder(self) -> int:
        return int(self.wheels.busy.read_text())

    def around(self) -> set[str]:
        """What is next to the environment."""
        return {entry.name for entry in self.place.parent.iterdir()}


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
