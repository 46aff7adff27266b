"""Work beside a block of code: begun with it, ended with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine


@contextlib.asynccontextmanager
async def background(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `works` beside the block; a bug in one of them ends the block. The block's own error stays what it is."""
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
