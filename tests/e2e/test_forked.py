"""Work in a copy of the process: its result comes, or nothing comes, and in the end no copy is left."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.sources.forked import can_fork

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux alone")

HandOver = Callable[[bytes], None]


def run(program: str, *arguments: str) -> str:
    """What a program prints that has `forked` and nothing else running in it; it ends in order."""
    lines = ["import os, signal, sys, time", "from reconciler.sources.forked import can_fork, forked"]
    text = "\n".join([*lines, textwrap.dedent(program)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_result_comes_whole_however_large_it_is() -> None:
    out = run("""
        for size in (0, 1, 70_000, 20_000_000):
            with forked(lambda hand_over: hand_over(b"x" * size)) as collect:
                result = collect(60)
                print(len(result), bytes(result) == b"x" * size)
    """)

    assert out.split() == ["0", "True", "1", "True", "70000", "True", "20000000", "True"]


def test_what_goes_wrong_in_a_copy_gives_no_result_and_no_noise() -> None:
    out = run("""
        def fails(hand_over): raise RuntimeError("no")
        def leaves(hand_over): sys.exit(0)
        def dies(hand_over): os.kill(os.getpid(), signal.SIGKILL)
        def forgets(hand_over): pass
        for work in (fails, leaves, dies, forgets):
            with forked(work) as collect:
                print(collect(60))
    """)

    assert out.split() == ["None"] * 4


def test_a_copy_that_hangs_is_waited_for_no_longer_than_allowed_and_then_ended() -> None:
    out = run("""
        def hangs(hand_over): time.sleep(1_000)
        with forked(hangs) as collect:
            print(collect(0.05))
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("nobody left")
    """)

    assert out == "None\nnobody left\n"


def test_a_copy_that_does_not_listen_is_killed() -> None:
    out = run("""
        def deaf(hand_over):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            hand_over(b"here")
            time.sleep(1_000)
        with forked(deaf) as collect:
            print(bytes(collect(60)).decode())
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("nobody left")
    """)

    assert out == "here\nnobody left\n"


def test_a_copy_that_is_not_wanted_any_more_ends_what_it_has_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run(
        """
        def tidy(hand_over):
            try:
                open(sys.argv[1], "w").write("begun ")
                time.sleep(1_000)
            finally:
                open(sys.argv[1], "a").write("tidied up")
        with forked(tidy) as collect:
            while not os.path.exists(sys.argv[1]):
                time.sleep(0.01)
        """,
        str(mark),
    )

    assert mark.read_text() == "begun tidied up"


def test_a_copy_may_tidy_up_after_its_result(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    out = run(
        """
        def work(hand_over):
            hand_over(b"result")
            time.sleep(0.2)
            open(sys.argv[1], "w").write("kept")
        with forked(work) as collect:
            print(bytes(collect(60)).decode())
        """,
        str(mark),
    )

    assert out == "result\n"
    assert mark.read_text() == "kept"


def test_what_was_to_be_printed_is_printed_once() -> None:
    out = run("""
        print("once", end=" ")
        import atexit
        atexit.register(print, "at the end")
        with forked(lambda hand_over: hand_over(b"")) as collect:
            collect(60)
    """)

    assert out == "once at the end\n"


def test_a_process_with_threads_or_a_loop_is_not_copied() -> None:
    out = run("""
        import asyncio, threading
        async def in_a_loop():
            return can_fork()
        print(can_fork(), asyncio.run(in_a_loop()))
        wait = threading.Event()
        other = threading.Thread(target=wait.wait)
        other.start()
        print(can_fork())
        with forked(lambda hand_over: hand_over(b"")) as collect:
            print(collect)
        wait.set()
        other.join()
    """)

    assert out.split() == ["True", "False", "False", "None"]


async def test_here_in_a_loop_no_copy_is_made() -> None:
    assert not can_fork()


def test_where_no_process_may_be_added_no_copy_is_made() -> None:
    if os.getuid() == 0:
        pytest.skip("root may always add a process")
    out = run("""
        import resource
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        with forked(lambda hand_over: hand_over(b"")) as collect:
            print(collect)
    """)

    assert out == "None\n"
