"""systemd itself reads the units of examples/deploy, finds no mistake, and finds them locked up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.deploy_files import UNITS

LARGEST_EXPOSURE = 25
"""Tenths on systemd's scale, where 0 is a sealed box and 96 a unit that says nothing."""


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    return program


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as they are, but for programs, which stand elsewhere on this machine."""
    places = {"/opt/reconciler/bin/reconciler": sys.executable}
    for program in ("/usr/bin/pkill", "/bin/kill"):
        places[program] = shutil.which(Path(program).name) or sys.executable
    copies = []
    for file in UNITS:
        text = file.read_text()
        for place, here in places.items():
            text = text.replace(place, here)
        copies.append(tmp_path / file.name)
        copies[-1].write_text(text)
    return copies


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_finds_no_mistake_in_the_units(analyze: str, units: list[Path]) -> None:
    done = run(analyze, "verify", *units)

    assert done.returncode == 0, done.stderr
    ours = [line for line in done.stderr.splitlines() if any(unit.name in line for unit in units)]
    assert ours == []


def test_systemd_would_have_found_one(analyze: str, units: list[Path]) -> None:
    units[0].write_text(units[0].read_text().replace("[Service]", "[Service]\nProtectEverything=yes"))

    assert "ProtectEverything" in run(analyze, "verify", *units).stderr


@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_a_unit_is_exposed_to_little(analyze: str, units: list[Path], name: str) -> None:
    (unit,) = (unit for unit in units if unit.name == name)

    done = run(analyze, "security", "--offline=yes", f"--threshold={LARGEST_EXPOSURE}", "--no-pager", unit)

    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at files (it is older than 250)")
    assert done.returncode == 0, done.stdout.splitlines()[-1]
