"""
A runner without exchanges: bots that take a while to start, earn by chance, crash and are restarted.

Its bots end with its process. tests/contract/test_runner.py holds it to the promises of every runner.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from reconciler.agent.model import ConfigChanged, StateChanged, Strategy
from reconciler.agent.runner import BotEvent, EventListener
from reconciler.agent.simulated.market import RandomWalk
from reconciler.aio import backoff_s
from reconciler.errors import CommandRejected
from reconciler.model.spec import Config
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import LogRecord, Performance
from reconciler.protocol.times import format_time

CRASH_LIMIT = 3
HEALTHY_AFTER_S = 300.0
"""After so many crashes, each within this time of a start, a bot is not restarted: a person must look."""

BACKOFF_FIRST_S = 0.5
BACKOFF_LIMIT_S = 30.0

_LOGGER = "simulated"


class _Bot:
    """One bot that is up, or crashed and waiting for its restart."""

    def __init__(self, strategy: Strategy, rng: random.Random, now: float, *, paused: bool) -> None:
        self.strategy = strategy
        self.paused = paused
        self.walk = RandomWalk(strategy.config, rng)
        self.walked_at = now
        self.up_since = now
        self.crashes = 0
        self.restart: asyncio.Task[None] | None = None


class SimulatedRunner:
    """Bots that exist in this process only; after a restart the agent starts them again."""

    def __init__(
        self, *, start_delay_s: float, rng: random.Random, backoff_s: float = BACKOFF_FIRST_S
    ) -> None:
        self._start_delay_s = start_delay_s
        self._rng = rng
        self._backoff_s = backoff_s
        self._bots: dict[str, _Bot] = {}
        self._starting: set[str] = set()
        self._listener: EventListener = _ignore
        self._clock: Callable[[], float] = lambda: 0.0

    async def open(self, listener: EventListener) -> None:
        self._listener = listener
        self._clock = asyncio.get_running_loop().time

    async def close(self) -> None:
        self._listener = _ignore
        for name in list(self._bots):
            await self._drop(name)

    async def find(self) -> Mapping[str, Lifecycle]:
        return {
            name: Lifecycle.PAUSED if bot.paused else Lifecycle.RUNNING
            for name, bot in self._bots.items()
            if bot.restart is None
        }

    # Commands.

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        name = strategy.name
        if name in self._bots or name in self._starting:
            raise CommandRejected(ErrorCode.ALREADY_RUNNING, "a bot of this name is running")
        self._starting.add(name)
        try:
            await asyncio.sleep(self._start_delay_s)
        finally:
            self._starting.discard(name)
        self._bots[name] = _Bot(strategy, self._rng, self._clock(), paused=paused)
        self._log(name, "started, halted" if paused else "started")

    async def stop(self, name: str) -> None:
        if await self._drop(name):
            self._log(name, "cancelled its orders and stopped")

    async def pause(self, name: str) -> None:
        self._up(name).paused = True
        self._log(name, "cancelled its orders and halted")

    async def resume(self, name: str) -> None:
        bot = self._up(name)
        bot.paused, bot.walked_at = False, self._clock()
        self._log(name, "goes on")

    async def apply(self, strategy: Strategy) -> None:
        bot = self._up(strategy.name)
        bot.strategy = strategy
        bot.walk.configure(strategy.config)
        self._log(strategy.name, "took a new config")

    async def delete(self, name: str) -> None:
        await self._drop(name)

    async def _drop(self, name: str) -> bool:
        bot = self._bots.pop(name, None)
        if bot is not None and bot.restart is not None:
            bot.restart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bot.restart
        return bot is not None

    def _up(self, name: str) -> _Bot:
        bot = self._bots.get(name)
        if bot is None or bot.restart is not None:
            raise CommandRejected(ErrorCode.INVALID_STATE, "the bot is not running")
        return bot

    def performance(self, name: str) -> Performance | None:
        bot = self._bots.get(name)
        if bot is None or bot.restart is not None:
            return None
        now = self._clock()
        if not bot.paused and bot.walk.advance(now - bot.walked_at):
            self._log(name, f"orders filled: {bot.walk.fills} so far")
        bot.walked_at = now
        strategy = bot.strategy
        return bot.walk.performance(
            name, format_time(datetime.now(UTC)), strategy.exchange, strategy.trading_pair
        )

    # Faults, and changes by hand.

    def crash(self, name: str) -> None:
        """Let a bot that is up die; it is restarted with growing pauses until it has crashed too often."""
        bot = self._up(name)
        bot.crashes = bot.crashes + 1 if self._clock() - bot.up_since < HEALTHY_AFTER_S else 1
        self._log(name, f"crashed ({bot.crashes} of {CRASH_LIMIT})", "ERROR")
        if bot.crashes >= CRASH_LIMIT:
            del self._bots[name]
            self._listener(
                StateChanged(name, Lifecycle.ERROR, f"crashed {bot.crashes} times: not restarted any more")
            )
            return
        pause_s = backoff_s(bot.crashes, first_s=self._backoff_s, longest_s=BACKOFF_LIMIT_S)
        bot.restart = asyncio.get_running_loop().create_task(self._restart(name, bot, pause_s))
        self._listener(StateChanged(name, Lifecycle.STARTING, f"crashed; restarts in {pause_s:g} s"))

    async def _restart(self, name: str, bot: _Bot, pause_s: float) -> None:
        await asyncio.sleep(pause_s + self._start_delay_s)
        bot.restart = None
        bot.up_since = bot.walked_at = self._clock()
        self._log(name, "restarted after a crash")
        self._listener(StateChanged(name, Lifecycle.PAUSED if bot.paused else Lifecycle.RUNNING))

    def fail(self, name: str, message: str) -> None:
        """Let a bot that is up stop itself for good, as a kill switch does."""
        self._up(name)
        del self._bots[name]
        self._log(name, message, "ERROR")
        self._listener(StateChanged(name, Lifecycle.ERROR, message))

    def stop_by_hand(self, name: str) -> None:
        """Stop a bot that is up as a person at its own console would."""
        self._up(name)
        del self._bots[name]
        self._log(name, "stopped by hand", "WARNING")
        self._listener(StateChanged(name, Lifecycle.STOPPED, "stopped by hand"))

    def configure_by_hand(self, name: str, config: Config) -> None:
        """Give a bot that is up another config as a person at its own console would."""
        bot = self._up(name)
        bot.strategy = bot.strategy.configured(config)
        bot.walk.configure(config)
        self._log(name, "config changed by hand", "WARNING")
        self._listener(ConfigChanged(name, config))

    def strategy(self, name: str) -> Strategy:
        """What a bot that is up runs.

        Raises:
            CommandRejected: it is not up.
        """
        return self._up(name).strategy

    def _log(self, name: str, message: str, level: str = "INFO") -> None:
        now = format_time(datetime.now(UTC))
        self._listener(
            LogRecord(strategy_name=name, timestamp=now, level=level, message=message, logger=_LOGGER)
        )


def _ignore(event: BotEvent) -> None:
    """Listener of a runner that is not open."""
