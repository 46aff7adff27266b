"""Work during a block ends with it and hides none of its errors."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.aio import background
from reconciler.errors import BrokerRefused


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _broken() -> None:
    raise LookupError("a bug")


async def test_the_blocks_own_error_is_not_wrapped() -> None:
    with pytest.raises(BrokerRefused, match="no"):
        async with background(_for_ever()):
            raise BrokerRefused("no")


async def test_a_bug_in_the_work_ends_the_block() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with background(_broken()):
            await _for_ever()

    assert [type(error) for error in raised.value.exceptions] == [LookupError]


async def test_work_ends_with_the_block() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await _for_ever()
        finally:
            ended.set()

    async with background(work()):
        await asyncio.sleep(0)

    assert ended.is_set()
