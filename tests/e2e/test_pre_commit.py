"""`.pre-commit-hooks.yaml` in the hands of pre-commit itself: it installs us from a repository and checks a commit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.cli_project import Project, clean_environment

PROJECT = Path(__file__).parents[2]
HOOKS = PROJECT / ".pre-commit-hooks.yaml"
PACKED = ("reconciler", "schemas", "examples", "pyproject.toml", "README.md", "LICENSE", HOOKS.name)
"""What it takes to install us."""

INSTALL_LIMIT_S = 540.0

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")


def hook() -> dict[str, object]:
    (found,) = yaml.safe_load(HOOKS.read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this very working tree, to install from."""
    folder = tmp_path_factory.mktemp("release")
    for name in PACKED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "release")):
        subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, timeout=60, check=True)
    return folder


@pytest.fixture
def fleet(tmp_path: Path) -> Project:
    folder = tmp_path / "fleet"
    folder.mkdir()
    project = Project(folder, "memory:", "bots")
    project.write("good")
    (project.folder / "strategies" / "_draft.yaml").write_text("not: [ready\n")
    (project.folder / "other.yaml").write_text("a: 1\n")
    return project


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pre_commit_installs_the_hook_and_lets_only_good_files_pass(
    release: Path, fleet: Project, tmp_path: Path
) -> None:
    def try_repo() -> subprocess.CompletedProcess[str]:
        fleet.git("add", "-A")
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pre_commit",
                "try-repo",
                str(release),
                str(hook()["id"]),
                "--color=never",
            ],
            cwd=fleet.folder,
            env=clean_environment(PRE_COMMIT_HOME=str(tmp_path / "home"), PYTHONPATH=""),
            capture_output=True,
            text=True,
            timeout=INSTALL_LIMIT_S,
            check=False,
        )

    good = try_repo()
    fleet.write("bad", state="paussed")
    bad = try_repo()

    assert good.returncode == 0, good.stdout + good.stderr
    assert "Passed" in good.stdout
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "- exit code: 5" in bad.stdout
    assert "strategies/bad.yaml:4:8: state: 'paussed' is not allowed" in bad.stdout
    assert "2 files, 1 valid: 1 error" in bad.stdout


def test_the_hook_runs_a_command_that_takes_the_names_of_files(fleet: Project) -> None:
    program, *arguments = str(hook()["entry"]).split()
    fleet.write("bad", state="paussed")

    assert program == "reconciler"
    assert fleet.run(*arguments, "strategies/good.yaml").returncode == 0
    assert fleet.run(*arguments, "strategies/good.yaml", "strategies/bad.yaml").returncode == 5
