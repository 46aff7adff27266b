"""Waiting in tests: for a condition, never for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable


async def until(condition: Callable[[], object | Awaitable[object]], timeout_s: float = 60.0) -> None:
    """Ask until `condition` holds; a file that is not there yet does not hold."""
    async with asyncio.timeout(timeout_s):
        while not await _holds(condition):  # noqa: ASYNC110  (any condition, also of other processes)
            await asyncio.sleep(0.02)


async def _holds(condition: Callable[[], object | Awaitable[object]]) -> object:
    try:
        answer = condition()
        return await answer if isawaitable(answer) else answer
    except FileNotFoundError:
        return False
