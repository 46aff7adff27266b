"""
Programs that the agent's tools run and wait for: at most so long, heard line by line, dead when we are.

Bots are no such children: they outlive us (hummingbot/process.py).
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
"""Bytes: a compiler's command line is long, but not so long."""


class TookTooLong(ReconcilerError):
    """A program did not end in its time, and was ended."""


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    limit_s: float,
    hear: Callable[[str], None],
) -> int:
    """Run a program to its end and return its exit code; `hear` gets each line that it says.

    Raises:
        TookTooLong: it still ran after `limit_s`; it and what it started are gone then.
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
            await _listen(child, hear)
            return await child.wait()
    except BaseException as error:
        await _end(child)
        if isinstance(error, TimeoutError):
            raise TookTooLong(f"{Path(command[0]).name} did not end within {limit_s:g} s") from None
        raise


async def _listen(child: asyncio.subprocess.Process, hear: Callable[[str], None]) -> None:
    assert child.stdout is not None, "a pipe was asked for"
    while line := await child.stdout.readline():
        hear(line.decode(errors="replace").rstrip())


async def _end(child: asyncio.subprocess.Process) -> None:
    """End a program with everything that it started; the group may outlive its leader."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
