"""All who wait for the disk in one turn of the loop share one commit, since each costs 60 µs however much is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reconciler.errors import StoreError


class GroupCommit:
    """`flush` writes everything that waits, or raises StoreError."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Return once all that was recorded before this call is written.

        Raises:
            StoreError: it cannot be.
        """
        written: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(written)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._commit)
        await written

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        error = self._failure()
        for written in waiting:
            if written.done():
                continue  # cancelled
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)

    def _failure(self) -> StoreError | None:
        try:
            self._flush()
        except StoreError as error:
            return error
        return None
