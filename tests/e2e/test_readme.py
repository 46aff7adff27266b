"""What the README shows is what happens: its commands run, in order, and say what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_project import clean_environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "node_modules", ".*_cache", "__pycache__", ".hypothesis")
MARK = "=== exit code"

Typed = tuple[str, list[str]]
"""A command and the lines that the README shows below it."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def typed() -> list[Typed]:
    found: list[Typed] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def wanted_code(command: str) -> int:
    named = re.search(r"# exit code (\d)", command)
    return int(named[1]) if named else 0


def without_chance(text: str) -> str:
    """Commits and ages are others each time."""
    text = re.sub(r"@ [0-9a-f]{7} ", "@ COMMIT ", text)
    text = re.sub(r" +\d+ s$", " AGE", text, flags=re.MULTILINE)
    return re.sub(r"\d+\.\d s old", "AGE", text)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of this repository whose .venv is the one that runs the test."""
    shutil.copytree(ROOT, tmp_path / "clone", ignore=LEFT_OUT)
    clone = tmp_path / "clone"
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "reconciler"):
        wrapper = programs / name
        module = " -m reconciler" if name == "reconciler" else ""
        wrapper.write_text(f'#!/bin/sh\nexec {sys.executable}{module} "$@"\n')
        wrapper.chmod(0o755)
    shutil.copy(clone / "pyproject.toml", clone / ".venv" / ".installed-run")
    return clone


class Shell:
    """One shell that the commands are typed into, one after the other."""

    def __init__(self, clone: Path) -> None:
        who = {"NAME": "reader", "EMAIL": "reader@example.com"}
        environment = clean_environment(
            PATH=f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            PYTHONPATH=str(clone),
            TMPDIR=str(clone),
            HOME=str(clone),
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
        )
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=clone,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, command: str) -> tuple[int, str]:
        """Run one command to its end; its exit code, and what was said meanwhile."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f'{command}\necho "{MARK} $?"\n')
        self._bash.stdin.flush()
        said = ""
        for line in self._bash.stdout:
            if line.startswith(MARK):
                return int(line.rpartition(" ")[2]), said
            said += line
        raise AssertionError(f"the shell ended at {command}:\n{said}")

    def leave(self) -> None:
        """End what still runs in the background, and the shell."""
        self._bash.communicate("kill $(jobs -p); wait\n", timeout=60)


@pytest.fixture
def shell(clone: Path) -> Iterator[Shell]:
    shell = Shell(clone)
    yield shell
    shell.leave()


def test_every_command_of_the_readme_runs_and_says_what_it_shows(shell: Shell) -> None:
    for command, shown in typed():
        code, said = shell.type(command)
        while not says(said, shown) and "a moment later" in command:
            code, said = shell.type(command)

        assert code == wanted_code(command), f"{command} ended with {code}:\n{said}"
        assert says(said, shown), f"{command} said:\n{said}"


def says(said: str, shown: list[str]) -> bool:
    return without_chance("\n".join(shown)) in without_chance(said)


def reconciler(*arguments: str) -> str:
    """What the command prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        env=clean_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_strategy_of_the_readme_is_valid(tmp_path: Path) -> None:
    for number, text in enumerate(blocks("yaml")):
        (tmp_path / f"readme-{number}.yaml").write_text(text)

    assert "no problems" in reconciler("validate", str(tmp_path))


@pytest.mark.parametrize("folder", ["strategies", "examples/fleet", "examples/strategies"])
def test_every_strategy_that_we_ship_is_valid_and_names_its_schema(folder: str) -> None:
    files = sorted((ROOT / folder).glob("*.yaml"))
    schemas = [re.search(r"\$schema=(\S+)", file.read_text()) for file in files]

    assert "no problems" in reconciler("validate", folder)
    assert files
    assert [file for file, named in zip(files, schemas, strict=True) if not named] == []
    assert all(named and (ROOT / folder / named[1]).is_file() for named in schemas)


def test_the_example_settings_are_taken() -> None:
    shown = reconciler("--config", "examples/reconciler.yaml", "config", "show")

    assert "examples/reconciler.yaml:" in shown


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda f: f.stem
)
def test_every_link_leads_somewhere(file: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", file.read_text())

    assert [link for link in links if not (file.parent / link).exists()] == []


def test_every_decision_record_has_its_parts_and_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    records = [file for file in sorted(folder.glob("*.md")) if file.name != "README.md"]
    parts = re.compile(
        r"# [A-Z].*\n\n- Date: \d{4}-.*\n- Status: .+\n- Replaces: .+\n"
        r".*^## Context$.*^## Decision$.*^## Consequences$",
        re.MULTILINE | re.DOTALL,
    )

    assert [file.name for file in records if not parts.match(file.read_text())] == []
    assert [file.name for file in records if f"]({file.name}) |" not in index] == []
