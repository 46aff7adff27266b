"""A fleet to measure with: a Git repository of N realistic strategy files, a broker, an agent that runs them.

Everything lives in one temporary folder and on 127.0.0.1; nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

FILE = """\
# yaml-language-server: $schema=../schemas/strategy.schema.json
# Number {number} of the benchmark's fleet.
strategy_type: pure_market_making
exchange: binance
trading_pair: {base}-USDT
state: stopped
labels:
  desk: market-making
  number: n{number}
config:
  bid_spread: 0.{spread}%
  ask_spread: 0.{spread}%
  order_amount: 0.{amount}
  order_refresh_time: 30
  order_levels: 3
  order_level_spread: 0.5
  order_level_amount: 0
  filled_order_delay: 60
  max_order_age: 1800
  inventory_skew_enabled: true
  inventory_target_base_pct: 50
  inventory_range_multiplier: 1
  order_refresh_tolerance_pct: 0.2
  price_type: mid_price
  hanging_orders_enabled: false
"""
"""Twenty-five lines, fifteen config fields: what a market maker's file looks like with a few options set."""


def file_text(number: int, *, spread: int | None = None) -> str:
    """The text of strategy `number`; `spread` in ten-thousandths of a percent."""
    base = "".join(chr(ord("A") + (number // 26**place) % 26) for place in range(3))
    return FILE.format(
        number=number, base=base, spread=spread or 1000 + number % 500, amount=101 + number % 800
    )


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, "-C", str(repository), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout


def make_repository(folder: Path, count: int) -> Path:
    """A repository with `count` committed strategies on main."""
    strategies = folder / "strategies"
    strategies.mkdir(parents=True)
    for number in range(count):
        (strategies / f"mm-{number:05}.yaml").write_text(file_text(number))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "fleet")
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


@contextlib.contextmanager
def mosquitto() -> Iterator[int]:
    """An unmodified Mosquitto (`mosquitto -p PORT`, nothing else); its port."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = free_port()
    child = subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        child.terminate()
        child.wait(10)


@contextlib.contextmanager
def agent(port: int, state_dir: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A simulated agent as a process of its own."""
    command = [sys.executable, "-m", "reconciler", "agent", "--runner", "simulated", "--name", "bench"]
    command += ["--broker", f"mqtt://127.0.0.1:{port}", "--state-dir", str(state_dir), *options]
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        yield Path(folder)


def reconciler(
    folder: Path, port: int, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the real command in `folder` against the broker on `port`, with its bytecode kept, as where it is installed."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "reconciler", "--set", f"broker.url=mqtt://127.0.0.1:{port}", *arguments]
    result = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False
    )
    if check and result.returncode not in {0, 2}:
        raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stderr[-2000:]}")
    return result


def ratio_line(name: str, ours: float, floor: float, unit: str = "s") -> str:
    """One line of a benchmark's output: both figures and their ratio."""
    return f"{name:<44} {ours:9.3f} {unit}   floor {floor:9.3f} {unit}   ratio {ours / floor:6.2f}"
