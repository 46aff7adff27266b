"""Containers run: the agent's ends its bots in good order, with real processes of a made-up agent; health is reported separately."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conditions import until
from tests.support.deploy_files import DEPLOY, values

ENTRYPOINT = DEPLOY / "containers" / "agent-entrypoint.sh"
LIMIT_S = 60.0

BOT = """\
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def leave(*_):
    time.sleep(0.5)
    (folder / "cancelled").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
(folder / "ready").touch()
while True:
    time.sleep(0.1)
"""

AGENT = """\
import json, pathlib, signal, subprocess, sys, time
state = pathlib.Path(sys.argv[1])
for name in ("one", "two"):
    folder = state / "bots" / name
    folder.mkdir(parents=True)
    bot = subprocess.Popen([sys.argv[2], sys.argv[3], folder], start_new_session=True, stdout=subprocess.DEVNULL)
    while not (folder / "ready").exists():
        time.sleep(0.01)
    record = {"strategy": {}, "birth": {"pid": bot.pid, "started": 1, "boot": "x"}}
    (folder / "bot.json").write_text(json.dumps(record, separators=(",", ":")))
(state / "bots" / "gone").mkdir()
(state / "bots" / "gone" / "bot.json").write_text('{"strategy":{},"birth":null}')
def leave(*_):
    (state / "agent-left").write_text(str((state / "bots" / "one" / "cancelled").exists()))
    sys.exit(int(sys.argv[4]))
signal.signal(signal.SIGTERM, leave)
(state / "up").touch()
if sys.argv[5] == "ends":
    sys.exit(int(sys.argv[4]))
while True:
    time.sleep(0.1)
"""


class Container:
    """The entry point with an agent that ends with `code`, by itself or when it is asked to."""

    def __init__(self, state: Path, code: int, how: str) -> None:
        self.state = state
        for name, text in (("bot.py", BOT), ("agent.py", AGENT)):
            (state / name).write_text(text)
        python = state / "python-of-bots"
        python.symlink_to(sys.executable)
        self.process = subprocess.Popen(
            [
                ENTRYPOINT,
                state,
                sys.executable,
                state / "agent.py",
                state,
                python,
                state / "bot.py",
                str(code),
                how,
            ],
        )

    def is_up(self) -> bool:
        return (self.state / "up").exists()

    def cancelled(self) -> list[bool]:
        return [(self.state / "bots" / name / "cancelled").exists() for name in ("one", "two")]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[Container]]:
    yield Container
    for file in tmp_path.glob("bots/*/bot.json"):
        _, _, pid = file.read_text().partition('"pid":')
        if pid:
            kill_leftover(int(pid.partition(",")[0]), tmp_path)


def kill_leftover(pid: int, folder: Path) -> None:
    """Only a bot of this test: its command line names the folder."""
    try:
        if str(folder) in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    except OSError:
        return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_the_agent_and_then_every_bot(
    tmp_path: Path, start: type[Container], number: signal.Signals
) -> None:
    container = start(tmp_path, 0, "stays")
    asyncio.run(until(container.is_up))

    container.process.send_signal(number)

    assert container.process.wait(LIMIT_S) == 0
    assert (tmp_path / "agent-left").read_text() == "False"
    assert container.cancelled() == [True, True]


@pytest.mark.parametrize("code", [0, 1, 3])
def test_an_agent_that_ends_by_itself_takes_its_bots_along_and_gives_its_code(
    tmp_path: Path, start: type[Container], code: int
) -> None:
    container = start(tmp_path, code, "ends")

    assert container.process.wait(LIMIT_S) == code
    assert container.cancelled() == [True, True]


def test_without_bots_it_ends_with_the_agent(tmp_path: Path) -> None:
    done = subprocess.run([ENTRYPOINT, tmp_path, "sh", "-c", "exit 5"], timeout=LIMIT_S, check=False)

    assert done.returncode == 5


@pytest.mark.parametrize(
    ("code", "healthy"), [(0, True), (2, True), (1, False), (3, False), (4, False), (5, False)]
)
def test_a_reconciler_is_healthy_while_it_sees_the_bots(tmp_path: Path, code: int, healthy: bool) -> None:
    program = tmp_path / "reconciler"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    (text,) = values(DEPLOY / "containers" / "reconciler.Dockerfile", "HEALTHCHECK")

    done = subprocess.run(
        ["sh", "-c", text.partition("CMD ")[2]],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=LIMIT_S,
        check=False,
    )

    assert (done.returncode == 0) is healthy
