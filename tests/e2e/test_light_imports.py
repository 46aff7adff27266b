"""`--help` and completion answer at once: what a command needs for its work is imported when it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]

WORK = (
    "git",
    "yaml",
    "paho",
    "jsonschema_rs",
    "reconciler.app",
    "reconciler.sources",
    "reconciler.transport",
)
"""What only the work of a command needs."""


def imported_by(statement: str, *names: str) -> list[str]:
    """Which of these modules an interpreter has once it ran `statement`."""
    program = f"{statement}\nimport sys\nprint(*(set({names!r}) & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return sorted(done.stdout.split())


def test_the_list_of_commands_imports_no_command_and_no_event_loop() -> None:
    assert imported_by("import reconciler.cli.main", "asyncio", "reconciler.cli.plan", *WORK) == []


@pytest.mark.parametrize("module", sorted(COMMANDS))
def test_the_help_of_a_command_does_not_import_its_work(module: str) -> None:
    assert imported_by(f"import reconciler.cli.main, reconciler.cli.{module}", *WORK) == []
