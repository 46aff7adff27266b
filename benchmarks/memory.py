"""Measure 6: peak memory of a reconciler that holds N desired and N live strategies.

Usage: python -m benchmarks.memory [N]    (default 10,000)
The service runs as a process of its own; its peak (VmHWM) is read after it has seen the fleet and made a pass.
The floor is a Python process that has imported the same modules and holds nothing.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.fleet import ROOT, agent, make_repository, mosquitto, reconciler, workspace

GOAL_MIB = 120.0
IMPORTS = "import reconciler.service, reconciler.transport.mqtt.paho, reconciler.sources.git, git, time; time.sleep(60)"


def peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM: this benchmark needs Linux")


def peak_of(command: list[str], folder: Path, *, after_s: float) -> float:
    child = subprocess.Popen(command, cwd=folder, env=None, stderr=subprocess.DEVNULL)
    try:
        time.sleep(after_s)
        if child.poll() is not None:
            raise RuntimeError(f"{command} ended early with {child.returncode}")
        return peak_mib(child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with workspace() as folder, mosquitto() as port:
        repository = make_repository(folder / "repository", count)
        with agent(port, folder / "agent"):
            reconciler(repository, port, "apply", "--yes", "--max-change-fraction", "1")
            url = f"broker.url=mqtt://127.0.0.1:{port}"
            run = [sys.executable, "-m", "reconciler", "--set", url, "run"]
            ours = peak_of(run, repository, after_s=15.0)
        floor = peak_of([sys.executable, "-c", IMPORTS], ROOT, after_s=5.0)
    print(
        f"service with {count} desired and live   {ours:6.1f} MiB   imports alone {floor:6.1f} MiB   "
        f"ratio {ours / floor:.2f}"
    )
    print(f"goal: at most {GOAL_MIB:.0f} MiB: {'holds' if ours <= GOAL_MIB else 'does not hold'}")


if __name__ == "__main__":
    main()
