"""
Supervises the bots that are up: checks their health, restarts what crashed, shuts down what must not go on.

Rule 1: while a command works on a bot, it is not supervised: its watch is ended before and started again after it.
Rule 2: wherever a watch is ended, the bot itself holds what is next: `restart_at`, `record.shutdown_reason`.
Rule 3: a state of error is reported after the process has ended: it means that nothing runs any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from reconciler.agent.hummingbot.bot import Bot
from reconciler.agent.hummingbot.bridge import Unanswered
from reconciler.agent.hummingbot.directory import prune, rotate
from reconciler.agent.hummingbot.health import (
    BotStatus,
    HealthVerdict,
    RecoveryAction,
    RestartPolicy,
    crashes_in_a_row,
    judge,
)
from reconciler.agent.hummingbot.launch import BotBackend
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.aio import backoff_s
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle

_OUTPUTS_KEPT = 3

_log = logging.getLogger(__name__)


def restart_pause_s(crashes: int, policy: RestartPolicy) -> float | None:
    """Return the pause before the restart after so many crashes in a row; None: no restart."""
    if crashes >= policy.limit:
        return None
    return backoff_s(crashes, first_s=policy.first_s, longest_s=policy.longest_s)


class Supervisor:
    """Watches bots. `clock`: the loop's. `on_gone`: called with a bot's name once it is down, before that is reported."""

    def __init__(
        self,
        backend: BotBackend,
        options: BotOptions,
        clock: Callable[[], float],
        on_gone: Callable[[str], None],
    ) -> None:
        self._backend = backend
        self._options = options
        self._timeouts = options.timeouts
        self._clock = clock
        self._on_gone = on_gone
        self._starts = asyncio.Semaphore(options.starts_at_once)

    def watch(self, bot: Bot) -> None:
        """Start to supervise a bot."""
        bot.watch = asyncio.get_running_loop().create_task(self._watch(bot))

    @staticmethod
    async def unwatch(bot: Bot) -> None:
        """Stop to supervise a bot."""
        task, bot.watch = bot.watch, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self, bot: Bot) -> None:
        while True:
            try:
                if bot.record.shutdown_reason:
                    await self._shut_down(bot)
                    return
                if bot.restart_at is not None:
                    await self._restart(bot, bot.restart_at)
                    continue
                await self._check(bot)
                if bot.up and bot.process is not None:
                    await bot.process.wait(self._timeouts.check_s)
            except OSError as error:
                _log.error("%s: %s", bot.name, error)
                await asyncio.sleep(self._timeouts.check_s)
            except Exception:  # noqa: BLE001  (a bug must not leave a bot unsupervised)
                _log.exception("%s: its supervision failed; trying again", bot.name)
                await asyncio.sleep(self._timeouts.check_s)

    async def _check(self, bot: Bot) -> None:
        """Gather what is new of a bot, and act on its health."""
        if self._backend.connected and bot.up:
            await bot.poll_status()
        await bot.update_trades()
        rotate(bot.directory.output, self._options.largest_output, _OUTPUTS_KEPT)
        prune(bot.directory.logs, self._options.largest_logs)
        verdict = self.judge(bot)
        match verdict.action:
            case RecoveryAction.LEAVE if verdict.state is not bot.state:
                if verdict.state is not Lifecycle.STARTING:
                    bot.update_record(paused=verdict.state is Lifecycle.PAUSED)
                bot.report_state(verdict.state, verdict.reason)
            case RecoveryAction.RESTART:
                self._crashed(bot, verdict.reason)
            case RecoveryAction.SHUT_DOWN:
                bot.update_record(shutdown_reason=verdict.reason)

    def judge(self, bot: Bot) -> HealthVerdict:
        """Return a bot's health now."""
        return judge(bot.signals(connected=self._backend.connected), self._options.limits)

    # Crashes.

    def _crashed(self, bot: Bot, reason: str) -> None:
        """Decide when a crashed bot is restarted, or that it is shut down."""
        policy = self._options.restarts
        crashes = crashes_in_a_row(bot.record.crashes, self._clock() - bot.started_at, policy)
        wait_s = restart_pause_s(crashes, policy)
        if wait_s is None:
            reason = f"crashed {crashes} times, not restarted any more: {reason}"
            bot.update_record(crashes=crashes, shutdown_reason=reason)
            return
        bot.restart_at = self._clock() + wait_s
        bot.update_record(crashes=crashes)
        bot.report_state(
            Lifecycle.STARTING, f"{reason}; restarts in {wait_s:g} s ({crashes} of {policy.limit})"
        )

    async def _restart(self, bot: Bot, at: float) -> None:
        await bot.terminate(self._timeouts)
        await asyncio.sleep(max(0.0, at - self._clock()))
        try:
            await self.start(bot)
        except (CommandRejected, OSError) as error:
            bot.started_at = self._clock()
            self._crashed(bot, f"it could not be started: {error}")
        else:
            bot.restart_at = None

    async def start(self, bot: Bot) -> None:
        """Start a bot's process when a core is free for it; returns once it replies, ends, or takes too long.

        Raises:
            CommandRejected: its strategy cannot be mapped to Hummingbot's form, or its account lacks keys.
            OSError: its folder cannot be written, or its interpreter does not exist.
        """
        async with self._starts:
            if bot.bridge is None:
                bot.bridge = self._backend.connect(bot.name, bot)
            record = bot.record
            bot.start_process(
                self._backend.prepare(bot.directory.root, record.strategy, paused=record.paused)
            )
            deadline = self._clock() + self._options.limits.silent_s
            while bot.status is BotStatus.SILENT and bot.alive and self._clock() < deadline:
                if bot.process is not None and await bot.process.wait(self._timeouts.poll_s):
                    return
                await bot.poll_status()

    # Shutdown.

    async def _shut_down(self, bot: Bot) -> None:
        """Bring a bot down for good, then report the error."""
        left = await self.bring_down(bot)
        message = f"{bot.record.shutdown_reason}; {left}" if left else bot.record.shutdown_reason
        if left:
            _log.error("%s: %s", bot.name, left)
        self._on_gone(bot.name)
        bot.detach()
        bot.report_state(Lifecycle.ERROR, message)
        bot.update_record(shutdown_reason="")

    async def bring_down(self, bot: Bot) -> str:
        """Cancel a bot's orders and end its process; a bot that never replied is only ended.

        Returns a sentence on what may be open at the exchange afterwards, and why; empty if nothing is.
        """
        trouble = ""
        if bot.alive and bot.bridge is not None and bot.status is not BotStatus.SILENT:
            try:
                await bot.while_alive(bot.bridge.halt())
            except Unanswered as error:
                trouble = f"it could not be asked to cancel its orders: {error}"
        if await bot.terminate(self._timeouts):
            trouble = "it had to be killed"
        left = await bot.orders_left()
        return f"{trouble}; {left}" if left and trouble else left
