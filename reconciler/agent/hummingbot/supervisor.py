"""
Looks after the bots that are up: asks, judges, restarts what crashed, brings down what must not go on.

Rule 1: while a command is busy with a bot, nobody else is: its watch is ended first, and begun anew after it.
Rule 2: wherever a watch is ended, the bot says where to go on: `restart_at`, `record.shutdown_reason`.
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
    crashes_now,
    judge,
    pause_s,
)
from reconciler.agent.hummingbot.launch import BotBackend
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle

_OUTPUTS_KEPT = 3

_log = logging.getLogger(__name__)


class Supervisor:
    """Watches bots. `clock` is the loop's; `gone` hears of each bot that is no more, before it is told of."""

    def __init__(
        self,
        backend: BotBackend,
        options: BotOptions,
        clock: Callable[[], float],
        gone: Callable[[str], None],
    ) -> None:
        self._backend = backend
        self._options = options
        self._clock = clock
        self._gone = gone
        self._starts = asyncio.Semaphore(options.starts_at_once)

    # Watches.

    def watch(self, bot: Bot) -> None:
        """Look after a bot from now on."""
        bot.watch = asyncio.get_running_loop().create_task(self._watch(bot))

    @staticmethod
    async def unwatch(bot: Bot) -> None:
        """Look after it no more."""
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
                else:
                    await self._look(bot)
                    await self._rest(bot)
            except OSError as error:
                _log.error("%s: %s", bot.name, error)
                await asyncio.sleep(self._options.timeouts.look_s)
            except Exception:  # noqa: BLE001  (a bug must not leave a bot that nobody looks after)
                _log.exception("%s: looking after it failed; it is tried again", bot.name)
                await asyncio.sleep(self._options.timeouts.look_s)

    async def _rest(self, bot: Bot) -> None:
        """Until the next look, or its process' end."""
        if bot.up and bot.process is not None:
            await bot.process.wait(self._options.timeouts.look_s)

    async def _look(self, bot: Bot) -> None:
        if self._backend.line and bot.up:
            await bot.ask()
        await bot.look_at_trades()
        rotate(bot.directory.output, self._options.largest_output, _OUTPUTS_KEPT)
        prune(bot.directory.logs, self._options.largest_logs)
        self._act(bot, self.judged(bot))

    def judged(self, bot: Bot) -> HealthVerdict:
        """How a bot is now."""
        return judge(bot.signals(line=self._backend.line), self._options.limits)

    def _act(self, bot: Bot, verdict: HealthVerdict) -> None:
        match verdict.care:
            case RecoveryAction.LEAVE if verdict.state is not bot.state:
                if verdict.state is not Lifecycle.STARTING:
                    bot.note(paused=verdict.state is Lifecycle.PAUSED)
                bot.tell(verdict.state, verdict.reason)
            case RecoveryAction.RESTART:
                self._crashed(bot, verdict.reason)
            case RecoveryAction.BRING_DOWN:
                bot.note(shutdown_reason=verdict.reason)

    # Crashes.

    def _crashed(self, bot: Bot, reason: str) -> None:
        """Decide when it is begun again, or that it is not."""
        restarts = self._options.restarts
        crashes = crashes_now(bot.record.crashes, self._clock() - bot.began_at, restarts)
        wait_s = pause_s(crashes, restarts)
        if wait_s is None:
            bot.note(
                crashes=crashes, shutdown_reason=f"crashed {crashes} times, not restarted any more: {reason}"
            )
            return
        bot.restart_at = self._clock() + wait_s
        bot.note(crashes=crashes)
        bot.tell(Lifecycle.STARTING, f"{reason}; restarts in {wait_s:g} s ({crashes} of {restarts.limit})")

    async def _restart(self, bot: Bot, at: float) -> None:
        await bot.end(self._options.timeouts)
        await asyncio.sleep(max(0.0, at - self._clock()))
        try:
            await self.begin(bot)
        except (CommandRejected, OSError) as error:
            bot.began_at = self._clock()
            self._crashed(bot, f"it could not be begun: {error}")
        else:
            bot.restart_at = None

    async def begin(self, bot: Bot) -> None:
        """Begin a bot's process, when there is a core for it; on return it lives, and runs nothing yet.

        Raises:
            CommandRejected: it cannot be put into Hummingbot's form, or lacks keys.
            OSError: its folder cannot be written, or its interpreter is not there.
        """
        async with self._starts:
            if bot.bridge is None:
                bot.bridge = self._backend.connect(bot.name, bot)
            record = bot.record
            bot.begin(self._backend.prepare(bot.directory.root, record.strategy, paused=record.paused))
            await self._first_word(bot)

    async def _first_word(self, bot: Bot) -> None:
        """Let it have its core until it can be heard, ends, or takes too long."""
        deadline = self._clock() + self._options.limits.silent_s
        while bot.answer is BotStatus.SILENT and bot.lives and self._clock() < deadline:
            if bot.process is not None and await bot.process.wait(self._options.timeouts.settle_s):
                return
            await bot.ask()

    # Ends.

    async def _shut_down(self, bot: Bot) -> None:
        """Bring it down for good, then say so: a state of error means that nothing runs any more."""
        left = await self.bring_down(bot)
        message = f"{bot.record.shutdown_reason}; {left}" if left else bot.record.shutdown_reason
        if left:
            _log.error("%s: %s", bot.name, left)
        self._gone(bot.name)
        bot.leave()
        bot.tell(Lifecycle.ERROR, message)
        bot.note(shutdown_reason="")

    async def bring_down(self, bot: Bot) -> str:
        """Cancel its orders and end its process; what may be open at the exchange after that, in words."""
        trouble = await self._halt(bot)
        if await bot.end(self._options.timeouts):
            trouble = "it had to be killed"
        left = await bot.orders_left()
        return f"{trouble}; {left}" if left and trouble else left

    async def _halt(self, bot: Bot) -> str:
        """Ask it to cancel its orders; what went wrong, in words. One that never answered is not asked."""
        if not bot.process or not bot.process.alive or bot.bridge is None or bot.answer is BotStatus.SILENT:
            return ""
        try:
            await bot.while_it_lives(bot.bridge.halt())
        except Unanswered as error:
            return f"it could not be asked to cancel its orders: {error}"
        return ""
