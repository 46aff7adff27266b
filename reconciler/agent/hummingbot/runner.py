"""
The runner of real bots: one Hummingbot process and one root folder for each strategy (agent/runner.py).

Rule 1: a process is no bot: a start is done when the bot itself says that its strategy runs.
Rule 2: bots live on without the agent; what must be known of them is on the disk before it is needed.
Rule 3: a bot that is brought down has no open orders, or it is said loudly which ones it may have.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from reconciler.agent.hummingbot.bot import Bot
from reconciler.agent.hummingbot.bridge import Bridge, Unanswered
from reconciler.agent.hummingbot.directory import (
    BotDirectory,
    BotRecord,
    bot_directories,
    check_room,
    pack_and_remove,
)
from reconciler.agent.hummingbot.health import BotStatus, RecoveryAction
from reconciler.agent.hummingbot.launch import BotBackend
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.hummingbot.process import Process, find, find_by_argument
from reconciler.agent.hummingbot.reconfigure import changed_fields, is_controller, not_taken
from reconciler.agent.hummingbot.supervisor import Supervisor
from reconciler.agent.model import StateChanged, Strategy
from reconciler.agent.responses import Refusal
from reconciler.agent.runner import Event, Listener
from reconciler.catalog import Catalog
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Performance

_STOPPING = "its stop was not finished"
"""Written down while a bot is stopped: it must not be taken for one that crashed."""

_log = logging.getLogger(__name__)


class HummingbotRunner:
    """Runs bots in folders below `state_dir`, which one agent at a time holds (journal.py locks it)."""

    def __init__(
        self, state_dir: Path, *, catalog: Catalog, backend: BotBackend, options: BotOptions
    ) -> None:
        self._bots_dir = state_dir / "bots"
        self._archives = state_dir / "archive"
        self._catalog = catalog
        self._backend = backend
        self._options = options
        self._bots: dict[str, Bot] = {}
        self._listener: Listener = _ignore
        self._clock: Callable[[], float] = lambda: 0.0

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        self._clock = asyncio.get_running_loop().time
        self._supervisor = Supervisor(self._backend, self._options, self._clock, self._forget)
        self._bots_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._backend.open()

    async def close(self) -> None:
        self._listener = _ignore
        for bot in list(self._bots.values()):
            await Supervisor.unwatch(bot)
            bot.leave()
        self._bots.clear()
        await self._backend.close()

    def _forget(self, name: str) -> None:
        self._bots.pop(name, None)

    async def find(self) -> Mapping[str, Lifecycle]:
        for directory in bot_directories(self._bots_dir):
            if directory.name not in self._bots:
                await self._find(directory)
        return {
            name: Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
            for name, bot in self._bots.items()
            if bot.up
        }

    async def _find(self, directory: BotDirectory) -> None:
        """Take up a bot that an earlier agent began; one that was to be brought down is told of at once."""
        record = directory.read()
        process = find(record.identity) if record is not None and record.identity is not None else None
        process = process or find_by_argument(str(directory.root))
        if record is None:
            if process is not None:
                _log.error("%s: process %d runs, and nothing is known of it", directory.folder, process.pid)
                process.close()
            return
        bot = self._bot(directory, record)
        if record.shutdown_reason == _STOPPING and (process is not None or not await bot.orders_left()):
            bot.note(shutdown_reason="")
        if bot.record.shutdown_reason:
            bot.tell(Lifecycle.ERROR, bot.record.shutdown_reason)
        if process is None:
            bot.note(shutdown_reason="")
            return
        self._take_up(bot, process)

    def _take_up(self, bot: Bot, process: Process) -> None:
        bot.process = process
        bot.bridge = self._backend.connect(bot.name, bot)
        bot.state = Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
        bot.note(identity=process.identity)
        self._bots[bot.name] = bot
        self._supervisor.watch(bot)

    def _bot(self, directory: BotDirectory, record: BotRecord) -> Bot:
        return Bot(directory, record, self._clock, self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state is Lifecycle.ERROR:
            _log.error("%s: %s", event.name, event.message)
        self._listener(event)

    # Commands.

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        name = strategy.name
        if name in self._bots:
            raise CommandRejected(ErrorCode.ALREADY_RUNNING, "a bot of this name is up")
        directory = BotDirectory(self._bots_dir / name)
        bot = self._bots[name] = self._bot(directory, BotRecord(strategy=strategy, paused=paused))
        try:
            await self._start(bot)
        except BaseException:
            await self._undo_start(bot)
            raise
        bot.state = Lifecycle.PAUSED if paused else Lifecycle.RUNNING
        self._supervisor.watch(bot)

    async def _start(self, bot: Bot) -> None:
        stray = find_by_argument(str(bot.directory.root))
        if stray is not None:
            stray.close()
            raise CommandRejected(ErrorCode.ALREADY_RUNNING, f"process {stray.pid} runs this bot already")
        check_room(self._bots_dir, self._options.least_free)
        try:
            await self._supervisor.begin(bot)
        except OSError as error:
            raise CommandRejected(ErrorCode.INTERNAL, f"the bot cannot be begun: {error}") from error
        await self._settled(bot)

    async def _settled(self, bot: Bot) -> None:
        """Wait until it says that it is as it should be.

        Raises:
            Refusal: it is not, and why; lasting, as far as only a person or another spec can help.
        """
        while True:
            await bot.ask()
            verdict = self._supervisor.judged(bot)
            if verdict.care is RecoveryAction.BRING_DOWN:
                unready = bot.answer is BotStatus.NOT_READY
                code = ErrorCode.EXCHANGE_UNAVAILABLE if unready else ErrorCode.INVALID_CONFIG
                raise Refusal(code, verdict.reason, lasting=True)
            if verdict.care is RecoveryAction.RESTART:
                raise Refusal(ErrorCode.INTERNAL, verdict.reason)
            if bot.answer is not BotStatus.SILENT and verdict.state is not Lifecycle.STARTING:
                return
            if bot.process is not None:
                await bot.process.wait(self._options.timeouts.settle_s)

    async def _undo_start(self, bot: Bot) -> None:
        """Leave nothing running of a start that failed or was overtaken."""
        try:
            left = await self._supervisor.bring_down(bot)
            if left:
                _log.error("%s: %s", bot.name, left)
        finally:
            self._forget(bot.name)
            bot.leave()

    async def stop(self, name: str) -> None:
        bot = self._bots.get(name)
        if bot is None:
            return
        await Supervisor.unwatch(bot)
        bot.note(shutdown_reason=_STOPPING)
        try:
            left = await self._supervisor.bring_down(bot)
        except BaseException:
            self._supervisor.watch(bot)
            raise
        self._forget(name)
        bot.note(shutdown_reason="")
        bot.leave()
        if left:
            _log.error("%s: %s", name, left)
            raise Refusal(
                ErrorCode.INVALID_STATE, f"the bot is down, but {left}: look there, then stop it again"
            )

    async def pause(self, name: str) -> None:
        async with self._taken(name) as bot:
            if bot.record.paused:
                return
            bot.note(paused=True)
            await self._halt(bot)

    async def _halt(self, bot: Bot) -> None:
        """Halt a bot and see that no order is left."""
        try:
            await bot.while_it_lives(_bridge(bot).halt())
        except Unanswered as error:
            bot.note(paused=False)  # so that it is asked again, and is no pause while an order may be open
            raise Refusal(ErrorCode.TIMEOUT, f"the bot did not halt: {error}") from error
        bot.forget_answers()
        left = await self._orders_left(bot)
        if left:
            bot.note(paused=False)
            raise Refusal(ErrorCode.EXCHANGE_UNAVAILABLE, f"the bot halted, but {left}")

    async def _orders_left(self, bot: Bot) -> str:
        """What may still be open once the exchange had time to confirm."""
        deadline = self._clock() + self._options.timeouts.orders_s
        while (left := await bot.orders_left()) and self._clock() < deadline:  # noqa: ASYNC110  (asks the disk)
            await asyncio.sleep(self._options.timeouts.settle_s)
        return left

    async def resume(self, name: str) -> None:
        async with self._taken(name) as bot:
            if not bot.record.paused:
                return
            self._backend.rewrite(bot.directory.root, bot.record.strategy)
            bot.forget_answers()
            bot.note(paused=False, ran=False)
            try:
                await _bridge(bot).begin()
                await self._settled(bot)
            except BaseException as error:
                bot.note(paused=True)
                with contextlib.suppress(Unanswered):
                    await _bridge(bot).halt()
                if isinstance(error, Unanswered):
                    raise Refusal(ErrorCode.TIMEOUT, f"the bot did not go on: {error}") from error
                raise

    async def apply(self, strategy: Strategy) -> None:
        async with self._taken(strategy.name) as bot:
            before = bot.record.strategy
            fields = changed_fields(self._catalog, before, strategy)
            if fields and not bot.record.paused:
                await self._reconfigure(bot, strategy, fields)
            self._backend.rewrite(bot.directory.root, strategy)
            bot.note(strategy=strategy)

    async def _reconfigure(self, bot: Bot, strategy: Strategy, fields: Mapping[str, object]) -> None:
        """Make a bot run with `fields` of `strategy`; if it does not take them, it is as before.

        Raises:
            Refusal: TIMEOUT: it did not answer; INVALID_CONFIG: it runs with something else.
        """
        bridge, before = _bridge(bot), bot.record.strategy
        reads_file = is_controller(self._catalog, strategy)
        try:
            if reads_file:
                self._backend.rewrite(bot.directory.root, strategy)
            else:
                await bridge.configure(fields)
            deadline = self._clock() + self._options.timeouts.taken_s
            while (wrong := not_taken(fields, await bridge.config())) and self._clock() < deadline:  # noqa: ASYNC110  (asks the bot)
                await asyncio.sleep(self._options.timeouts.settle_s)
            if wrong:
                raise Refusal(  # noqa: TRY301  (undone below, as every failure)
                    ErrorCode.INVALID_CONFIG, f"the bot did not take it: {'; '.join(wrong)}"
                )
        except BaseException as error:
            self._backend.rewrite(bot.directory.root, before)
            if not reads_file:
                with contextlib.suppress(Unanswered):
                    await bridge.configure(changed_fields(self._catalog, strategy, before))
            if isinstance(error, Unanswered):
                raise Refusal(ErrorCode.TIMEOUT, f"the bot did not take the config: {error}") from error
            raise

    async def delete(self, name: str) -> None:
        if name in self._bots:
            raise CommandRejected(ErrorCode.INVALID_STATE, "the bot is up")
        folder = self._bots_dir / name
        try:
            packed = await asyncio.to_thread(pack_and_remove, folder, self._archives, name)
        except OSError as error:
            raise CommandRejected(ErrorCode.INTERNAL, f"{folder} cannot be archived: {error}") from error
        if packed is not None:
            _log.info("%s: what it left is in %s", name, packed)

    @contextlib.asynccontextmanager
    async def _taken(self, name: str) -> AsyncIterator[Bot]:
        """A bot that is up, for one command: nobody looks after it meanwhile."""
        bot = self._bots.get(name)
        if bot is None or not bot.up:
            raise CommandRejected(ErrorCode.INVALID_STATE, "the bot is not up")
        await Supervisor.unwatch(bot)
        try:
            yield bot
            bot.state = Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
        finally:
            self._supervisor.watch(bot)

    def performance(self, name: str) -> Performance | None:
        bot = self._bots.get(name)
        return bot.figures() if bot is not None and bot.up else None


def _bridge(bot: Bot) -> Bridge:
    """The line of a bot that is up."""
    if bot.bridge is None:
        raise CommandRejected(ErrorCode.INVALID_STATE, "the bot is not up")
    return bot.bridge


def _ignore(event: Event) -> None:
    """Listener of a runner that is not open."""
