"""A repository of strategies in a folder, and the real command run in it as a child process."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "reconciler")
LIMIT_S = 60.0

FILE = """\
strategy_type: pure_market_making
exchange: binance
trading_pair: {pair}
state: {state}
config:
  bid_spread: {spread}
  ask_spread: 0.1%
  order_amount: 0.01
  order_refresh_time: 30
"""


class Project:
    """`root` sets it apart from all others on the same broker."""

    def __init__(self, folder: Path, broker: str, root: str) -> None:
        self.folder = folder
        self.broker = broker
        self.root = root
        self.git("init", "-q", "-b", "main")
        (folder / "strategies").mkdir()
        settings = f"broker: {{url: '{broker}'}}\ntargets: {{default: {{root: {root}, basic_window: 2s}}}}\n"
        (folder / "reconciler.yaml").write_text(settings)
        (folder / ".gitignore").write_text(".reconciler/\n")

    def write(
        self, name: str, *, spread: str = "0.1%", state: str = "running", pair: str = "BTC-USDT"
    ) -> Path:
        file = self.folder / "strategies" / f"{name}.yaml"
        file.write_text(FILE.format(spread=spread, state=state, pair=pair))
        return file

    def commit(self, message: str = "change") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        return done.stdout

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `reconciler …` without a terminal; no test expects a traceback."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """Run it with `-o json`; its document says the exit code that the command had."""
        done = self.run(*arguments, "-o", "json")
        document = json.loads(done.stdout)
        assert document["exit_code"] == done.returncode, done.stderr
        return document

    @contextlib.contextmanager
    def beside(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run `reconciler …` during the block; ended with SIGTERM, which must be a clean end."""
        child = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                output, _ = child.communicate(timeout=LIMIT_S)
            finally:
                child.kill()
        assert "Traceback" not in output, output

    def agent(self, *options: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        """A simulated agent for this project; wait for what it does with `until`."""
        return self.beside("agent", "--root", self.root, "--start-delay", "0", "--heartbeat", "1", *options)

    def until(self, code: int, *arguments: str) -> str:
        """Run a command until it ends with `code`; what it printed then."""
        deadline = time.monotonic() + LIMIT_S
        done = self.run(*arguments)
        while done.returncode != code and time.monotonic() < deadline:
            time.sleep(0.05)
            done = self.run(*arguments)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def at_terminal(self, *arguments: str, answers: str = "", **environment: str) -> tuple[int, str]:
        """Run it at a terminal where `answers` are typed; its exit code and what the screen showed."""
        terminal, side = pty.openpty()
        child = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=clean_environment(TERM="xterm", COLUMNS="100", **environment),
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
        )
        os.close(side)
        try:
            os.write(terminal, answers.encode())
            screen = _read_all(terminal)
            return child.wait(LIMIT_S), screen
        finally:
            child.kill()
            child.wait(LIMIT_S)
            os.close(terminal)


def _read_all(terminal: int) -> str:
    """What comes out of a terminal until nobody is left at its other side."""
    deadline = time.monotonic() + LIMIT_S
    screen = b""
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # Linux says EIO when the other side is closed
            break
        if not part:
            break
        screen += part
    return screen.decode(errors="replace")


def clean_environment(**more: str) -> dict[str, str]:
    """Ours without what would set our settings or colours; coverage and the like stay."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RECONCILER_", "GIT_")) and name not in {"NO_COLOR", "FORCE_COLOR"}
    }
    return {**ours, "PYTHONPATH": str(Path(__file__).parents[2]), **more}
