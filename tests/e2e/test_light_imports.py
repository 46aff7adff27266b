"""What a command imports before its first useful step is waited for by whoever calls it: only what is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

READING = ("git", "yaml", "jsonschema_rs", "reconciler.sources.load", "reconciler.sources.check")
"""What only reading files needs: a command leaves that to a copy of itself."""

PARSING = ("yaml", "reconciler.sources.policy", "reconciler.sources.worktree")
"""What only some files, settings or sources need."""


def imported_by(statement: str, *names: str) -> list[str]:
    """Which of these modules an interpreter has once it ran `statement`."""
    program = f"{statement}\nimport sys\nprint(*(set({names!r}) & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["reconciler.cli.passes", "reconciler.session", "reconciler.sources.handover"]
)
def test_who_plans_does_not_import_what_its_copy_reads_with(module: str) -> None:
    assert imported_by(f"import {module}", *READING) == []


def test_the_copy_is_made_before_an_event_loop_is_imported() -> None:
    assert imported_by("import reconciler.cli.syncing, reconciler.cli.main", "asyncio", *READING) == []


def test_a_reader_imports_no_parser_and_no_policy_until_something_asks_for_it() -> None:
    statement = (
        "from reconciler.settings import Settings\n"
        "from reconciler.sources.opening import catalog_of, open_loader\n"
        "open_loader(Settings(), catalog_of(Settings()))\n"
        "from reconciler.sources.documents import read\n"
        "assert read(b'a: 1', 'f.yaml').documents"
    )

    assert imported_by(statement, *PARSING) == []
    assert imported_by(f"{statement}\nread(b'[1]', 'f.yaml')", *PARSING) == ["yaml"]
