"""The Node programs that tests run, in tests/node: installs what its lock file names, once."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "node"
INSTALL_LIMIT_S = 300


def node_folder() -> Path:
    """Return tests/node with its packages installed; skips the test where Node itself is missing."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not on PATH")
    with (FOLDER / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _up_to_date():
            _install()
    return FOLDER


def _up_to_date() -> bool:
    """Whether node_modules was installed from the lock file as it is now (npm keeps a copy of it there)."""
    installed = FOLDER / "node_modules" / ".package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime


def _install() -> None:
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=INSTALL_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"npm ci failed:\n{done.stdout}\n{done.stderr}"
    (FOLDER / "node_modules" / ".package-lock.json").touch()
