"""10,000 strategies through a broker as it comes out of the box: all confirmed, none lost, and then nothing to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fleet import agent, make_repository, reconciler
from tests.support.brokers import Mosquitto

COUNT = 10_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_are_created_and_a_second_look_finds_nothing_to_do(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "repository", COUNT)

    with agent(mosquitto.port, tmp_path / "agent"):
        applied = reconciler(repository, mosquitto.port, "apply", "--yes", "--max-change-fraction", "1")
        again = reconciler(repository, mosquitto.port, "plan")
        (repository / ".reconciler" / "state.db").unlink()
        without_memory = reconciler(repository, mosquitto.port, "plan")

    assert applied.returncode == 0, applied.stdout[-2000:] + applied.stderr[-2000:]
    assert f"{COUNT} unchanged" in again.stdout
    assert again.returncode == 0
    assert f"{COUNT} unchanged" in without_memory.stdout


def test_the_command_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "reconciler", "--version"]

    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.startswith(
        "recon"
    )
