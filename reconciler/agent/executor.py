"""
Has a runner carry out work: one task for each strategy, bounded in time.

Rule 1: work for one strategy goes one after another; newer work cancels what is under way.
Rule 2: every work ends: with success, a refusal, a timeout, or INTERNAL for a bug of the runner.
Rule 3: only what the agent restores after a restart is retried; a command's sender decides itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from reconciler.agent.model import Strategy, Work
from reconciler.agent.responses import Refusal
from reconciler.agent.runner import Runner
from reconciler.aio import backoff_s
from reconciler.errors import CommandRejected
from reconciler.model.change import Op
from reconciler.protocol.codes import ErrorCode, Reaction, reaction

ACCEPTED_AFTER_S = 2.0
"""An Extended sender whose command takes longer gets a first reply, before it gives up (docs/protocol.md)."""

RECOVERY_ATTEMPTS = 5
RECOVERY_PAUSE_S, RECOVERY_LONGEST_PAUSE_S = 1.0, 8.0
"""After a restart of the machine an exchange may be out of reach for a while; pauses double, 15 s in all."""

_log = logging.getLogger(__name__)


class Executor:
    """Carries out work. `on_end` is called with the result of each, `on_slow` with those that take longer than
    ACCEPTED_AFTER_S. Work that is superseded, or under way at `close`, is cancelled and reported to neither.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        timeout_s: float,
        on_end: Callable[[Work, CommandRejected | None], None],
        on_slow: Callable[[Work], None],
    ) -> None:
        self._runner = runner
        self._timeout_s = timeout_s
        self._on_end = on_end
        self._on_slow = on_slow
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, work: Work, strategy: Strategy) -> None:
        """Carry out `work` on `strategy` once what it supersedes has ended."""
        before = self._tasks.get(work.name)
        self._tasks[work.name] = asyncio.create_task(self._run(work, strategy, before))

    async def close(self) -> None:
        """Cancel what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, work: Work, strategy: Strategy, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            before.cancel()
            await asyncio.wait({before}, timeout=self._timeout_s)
        slow = asyncio.get_running_loop().call_later(ACCEPTED_AFTER_S, self._on_slow, work)
        try:
            error = await self._attempt(work, strategy)
            for failures in range(1, RECOVERY_ATTEMPTS if work.recovery else 1):
                if error is None or reaction(work.op, error.code) is not Reaction.RETRY:
                    break
                pause_s = backoff_s(failures, first_s=RECOVERY_PAUSE_S, longest_s=RECOVERY_LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s)
                error = await self._attempt(work, strategy)
        finally:
            slow.cancel()
            if self._tasks.get(work.name) is asyncio.current_task():
                del self._tasks[work.name]
        self._on_end(work, error)

    async def _attempt(self, work: Work, strategy: Strategy) -> CommandRejected | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._command(work, strategy)
        except CommandRejected as error:
            return error
        except TimeoutError:
            return Refusal(ErrorCode.TIMEOUT, f"not done within {self._timeout_s:g} s")
        except Exception:  # noqa: BLE001  (a runner's bug must not leave a sender without a reply, nor end other bots)
            _log.exception("the runner failed to %s %s", work.op, work.name)
            return Refusal(ErrorCode.INTERNAL, "the runner failed; see the agent's log")
        return None

    def _command(self, work: Work, strategy: Strategy) -> Awaitable[None]:
        runner, name = self._runner, work.name
        match work.op:
            case Op.START:
                return runner.start(strategy, paused=work.paused)
            case Op.STOP:
                return runner.stop(name)
            case Op.PAUSE:
                return runner.pause(name)
            case Op.RESUME:
                return runner.resume(name)
            case Op.DELETE:
                return runner.delete(name)
            case Op.UPDATE:
                return runner.apply(strategy.configured(work.config or {}))
            case Op.CREATE:
                raise AssertionError("a create needs no runner")
