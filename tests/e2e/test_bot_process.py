"""Processes that outlive the one that began them (reconciler/agent/hummingbot/process.py), with real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from reconciler.agent.hummingbot.process import (
    Process,
    ProcessIdentity,
    find_by_argument,
    find_process,
    spawn,
)
from tests.support.conditions import until

PATIENCE_S = 30.0
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts `python -c CODE ARGUMENTS` and kills it in the end."""
    started: list[Process] = []

    def started_one(code: str, *arguments: str, secret: bytes = b"") -> Process:
        process = spawn(
            [sys.executable, "-c", code, *arguments], {}, secret=secret, output=tmp_path / "output.log"
        )
        started.append(process)
        return process

    yield started_one
    for process in started:
        process.send(signal.SIGKILL)
        process.close()


async def test_it_lives_in_a_session_of_its_own_and_writes_to_its_file(start, tmp_path: Path) -> None:
    process = start(SLEEP)

    await until(lambda: "up" in (tmp_path / "output.log").read_text())

    assert process.alive
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert process.memory_bytes() > 1 << 20


async def test_a_secret_comes_over_stdin_and_stands_nowhere_else(start, tmp_path: Path) -> None:
    process = start(
        "import sys, time; print(len(sys.stdin.read()), flush=True); time.sleep(600)", secret=b"sesame"
    )

    await until(lambda: (tmp_path / "output.log").read_text() == "6\n")

    for place in ("cmdline", "environ"):
        assert b"sesame" not in Path(f"/proc/{process.pid}/{place}").read_bytes()


def test_a_secret_longer_than_a_pipe_is_refused(start) -> None:
    with pytest.raises(ValueError, match="too many for a pipe"):
        start(SLEEP, secret=b"x" * 70_000)


def test_what_cannot_be_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        spawn([str(tmp_path / "nowhere")], {}, secret=b"", output=tmp_path / "output.log")


async def test_its_exit_code_is_reported(start) -> None:
    process = start("raise SystemExit(3)")

    assert await process.wait(PATIENCE_S)
    assert (process.alive, process.exit_code) == (False, 3)


async def test_the_signal_that_ended_it_is_reported(start) -> None:
    process = start(SLEEP)
    process.send(signal.SIGKILL)

    assert await process.wait(PATIENCE_S)
    assert process.exit_code == -signal.SIGKILL


async def test_one_that_does_not_end_is_not_waited_for_for_ever(start, tmp_path: Path) -> None:
    process = start(STUBBORN)
    await until(lambda: "up" in (tmp_path / "output.log").read_text())
    process.send(signal.SIGTERM)

    assert not await process.wait(0.2)
    assert process.alive


async def test_a_signal_to_one_that_ended_is_no_error(start) -> None:
    process = start("pass")
    await process.wait(PATIENCE_S)

    process.send(signal.SIGTERM)

    assert not process.alive
    assert process.memory_bytes() == 0


async def test_two_can_wait_for_one(start) -> None:
    import asyncio

    process = start(SLEEP)
    waits = [asyncio.create_task(process.wait(PATIENCE_S)) for _ in range(2)]
    await asyncio.sleep(0)
    process.send(signal.SIGKILL)

    assert await asyncio.gather(*waits) == [True, True]


def test_it_is_found_again_by_its_birth(start) -> None:
    process = start(SLEEP)
    written = msgspec.json.decode(msgspec.json.encode(process.identity), type=ProcessIdentity)

    again = find_process(written)

    assert again is not None
    assert again.alive
    again.close()


def test_another_process_of_the_same_id_is_not_taken_for_it(start) -> None:
    identity = start(SLEEP).identity

    assert find_process(msgspec.structs.replace(identity, started=identity.started - 1)) is None
    assert find_process(msgspec.structs.replace(identity, boot="another boot")) is None


async def test_one_that_ended_is_not_found(start) -> None:
    process = start("pass")
    await process.wait(PATIENCE_S)

    assert find_process(process.identity) is None
    assert find_by_argument("pass") is None


def test_it_is_found_by_an_argument_that_only_it_has(start, tmp_path: Path) -> None:
    process = start(SLEEP, str(tmp_path))

    again = find_by_argument(str(tmp_path))

    assert again is not None
    assert again.identity == process.identity
    again.close()
    assert find_by_argument(str(tmp_path / "other")) is None


_PARENT = """
import sys
from pathlib import Path
from reconciler.agent.hummingbot.process import spawn
code, output = sys.argv[1:]
print(spawn([sys.executable, "-c", code], {}, secret=b"", output=Path(output)).pid, flush=True)
sys.stdin.read()
"""


async def test_it_outlives_the_kill_of_who_began_it(tmp_path: Path) -> None:
    output = tmp_path / "output.log"
    ticking = "import time\nwhile True: print('tick', flush=True); time.sleep(0.02)"
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, ticking, str(output)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    try:
        said = output.stat().st_size
        await until(lambda: output.stat().st_size > said)
    finally:
        os.kill(pid, signal.SIGKILL)
