"""The demo tells its whole story on this machine, and leaves nothing behind however it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_project import COMMAND, LIMIT_S, clean_environment


def start_demo(folder: Path, *options: str, path: str | None = None) -> subprocess.Popen[str]:
    environment = clean_environment(TMPDIR=str(folder))
    return subprocess.Popen(
        [*COMMAND, "demo", *options],
        cwd=folder,
        env=environment if path is None else {**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes that work in `folder` or name it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in words + where:
            found.append(words)
    return found


def read_until(demo: subprocess.Popen[str], last: str) -> str:
    assert demo.stdout is not None
    text = ""
    for line in demo.stdout:
        text += line
        if last in line:
            return text
    raise AssertionError(f"the demo ended without {last!r}:\n{text}")


def test_the_demo_shows_all_six_scenes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = start_demo(tmp_path)
    text, _ = demo.communicate(timeout=100)

    assert demo.returncode == 0, text
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    assert "fix: did you mean bid_spread?" in text
    assert "differs from Git: config.bid_spread" in text
    assert "stopped and deleted: removed from Git" in text
    assert "Broker is back" in text
    assert "Traceback" not in text
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_half_way_takes_its_processes_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    demo = start_demo(tmp_path)
    read_until(demo, "Sync of")
    demo.send_signal(number)
    text, _ = demo.communicate(timeout=LIMIT_S)

    assert demo.returncode == 130, text
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_keep_leaves_it_running_until_stopped_and_says_how_to_go_on(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--keep")
    text = read_until(demo, "Ctrl-C ends it")
    found = re.search(r"cd (\S+)", text)
    assert found
    plan = subprocess.run(
        [*COMMAND, "plan"],
        cwd=found[1],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=LIMIT_S)

    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert demo.returncode == 0
    assert processes_of(tmp_path) == []


def test_without_git_the_demo_says_what_is_missing(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, path=str(tmp_path))
    text, _ = demo.communicate(timeout=LIMIT_S)

    assert demo.returncode == 1
    assert "git is not installed" in text
