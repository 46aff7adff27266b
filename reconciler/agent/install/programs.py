"""
Runs programs that installing and probing wait for: with a time limit, line by line, ended when this process ends.

Bots are no such programs: they outlive the agent (hummingbot/process.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.transport.embedded.parent_death_signal import with_parent_death_signal

_LONGEST_LINE = 1 << 20
"""Bytes: more than any command line of a compiler."""


class ProgramTimeout(ReconcilerError):
    """A program did not end within its limit, and was killed."""


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    limit_s: float,
    on_line: Callable[[str], None],
) -> int:
    """Run a program to its end and return its exit code; `on_line` is called with each line of its output.

    Raises:
        ProgramTimeout: it still ran after `limit_s`; it and everything that it started were killed.
        OSError: it cannot be started.
    """
    child = await asyncio.create_subprocess_exec(
        *with_parent_death_signal(*command),
        env=dict(env),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=_LONGEST_LINE,
    )
    try:
        async with asyncio.timeout(limit_s):
            assert child.stdout is not None, "a pipe was asked for"
            while line := await child.stdout.readline():
                on_line(line.decode(errors="replace").rstrip())
            return await child.wait()
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # the group, which may outlive its leader
        await child.wait()
        if isinstance(error, TimeoutError):
            raise ProgramTimeout(f"{Path(command[0]).name} did not end within {limit_s:g} s") from None
        raise
