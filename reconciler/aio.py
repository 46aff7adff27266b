"""Asynchronous building blocks, each once for the whole package: background tasks, waiting for the first of several
events, pauses between attempts, and exceptions that no caller can catch.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Coroutine


@contextlib.asynccontextmanager
async def background(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `works` while the block runs; a bug in one of them ends the block. The block's own error stays what it is."""
    own: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
            try:
                yield
            except Exception as error:
                own = error
                raise
            finally:
                for task in tasks:
                    task.cancel()
    except ExceptionGroup as several:
        if own is not None and several.exceptions == (own,):
            raise own from own.__cause__
        raise


async def wait_for_event(event: asyncio.Event, timeout_s: float) -> None:
    """Wait until `event` is set, at most `timeout_s`; which of the two happened does not matter."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


async def first_of(*waits: Awaitable[object]) -> None:
    """Return as soon as one of `waits` is done, and cancel the others."""
    futures = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in futures:
            future.cancel()


def report_exception(error: BaseException, what: str) -> None:
    """Give an exception that no caller can catch to the running loop's exception handler."""
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})


def report_failure(task: asyncio.Task[None], what: str) -> None:
    """Report the exception that ends `task`, which nobody awaits, as `report_exception` does."""

    def report(ended: asyncio.Task[None]) -> None:
        if not ended.cancelled() and (error := ended.exception()) is not None:
            report_exception(error, what)

    task.add_done_callback(report)


def backoff_s(attempt: int, *, first_s: float, longest_s: float) -> float:
    """The pause after the `attempt`-th failure in a row (from 1): doubled each time, without jitter. Seconds."""
    return min(longest_s, first_s * 2.0 ** min(attempt - 1, 60))


def jittered_s(pause_s: float) -> float:
    """`pause_s` shortened at random by up to a half, so that not everyone comes back at once."""
    return pause_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, hides nothing


class Backoff:
    """Pauses that double from `first_s` to `longest_s`, each jittered; what held for `stable_s` starts again."""

    def __init__(self, *, first_s: float = 0.1, longest_s: float = 30.0, stable_s: float = 10.0) -> None:
        self._first_s, self._longest_s, self._stable_s = first_s, longest_s, stable_s
        self._failures = 0

    def lasted(self, seconds: float) -> None:
        """Note how long the last success held: after a stable one the next pause is the first again."""
        if seconds >= self._stable_s:
            self._failures = 0

    def next_s(self) -> float:
        """How long to wait now, in seconds."""
        self._failures += 1
        return jittered_s(backoff_s(self._failures, first_s=self._first_s, longest_s=self._longest_s))
