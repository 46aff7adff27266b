"""Output of the command line: pipes that close early, streams that are closed, terminals, completion."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli_project import COMMAND, LIMIT_S, Project, clean_environment


def first_line_of(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    """Run it into a reader that leaves after the first line."""
    return subprocess.run(
        f"{COMMAND[0]} -m reconciler {command} | head -1",
        shell=True,
        cwd=project.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_a_reader_that_leaves_early_is_no_error_message(project: Project) -> None:
    done = first_line_of(project, "config show")

    assert done.stdout.startswith("hummingbot_version")
    assert done.stderr == ""


def test_a_reader_that_leaves_early_ends_what_follows_the_bots(project: Project) -> None:
    with project.agent():
        project.until(2, "plan")
        project.run("apply", "--yes")
        done = first_line_of(project, "logs -f")

    assert "btc-maker" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [("config", "show"), ("validate", "-o", "json"), ("schema", "list")])
def test_a_result_that_cannot_be_written_is_an_error(project: Project, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=project.folder,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    assert done.returncode == 1
    assert "error: the output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_crash(project: Project) -> None:
    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line.replace("reconciler", f"{COMMAND[0]} -m reconciler"),
            shell=True,
            cwd=project.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    silent, unasked = shell("reconciler plan --wait 0 >&-"), shell("reconciler apply --wait 0 <&-")

    assert "Traceback" not in silent.stderr + unasked.stderr
    assert silent.returncode == 4
    assert unasked.returncode == 1
    assert "cannot ask for confirmation" in unasked.stderr


def test_logs_says_that_nothing_was_logged(project: Project) -> None:
    done = project.run("logs", "--for", "0")

    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing was logged within 0 s" in done.stderr


def test_no_name_of_a_file_reaches_the_terminal_as_a_command(project: Project) -> None:
    (project.folder / "strategies" / "a\x1b[2Jb.yaml").write_text("no strategy\n")
    project.commit()

    done = project.run("plan", "--wait", "0")

    assert done.returncode == 5
    assert r"a\x1b[2Jb.yaml:1:1" in done.stderr
    assert "\x1b" not in done.stderr


def test_completion_knows_our_commands(project: Project) -> None:
    completed = project.run(_RECONCILER_COMPLETE="bash_complete", COMP_WORDS="reconciler pl", COMP_CWORD="1")

    assert "plan" in completed.stdout
    assert (
        project.run("completion", "bash").stdout == 'eval "$(_RECONCILER_COMPLETE=bash_source reconciler)"\n'
    )
