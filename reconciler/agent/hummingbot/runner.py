"""
The runner of real bots (agent/runner.py): one Hummingbot process and one root folder for each strategy.

Rule 1: a process is no bot: a start is done when the bot itself reports that its strategy runs.
Rule 2: bots live on without the agent; what must be known of them is on disk before it is needed.
Rule 3: a bot that is brought down has no open orders, or the message names those that it may have.
Rule 4: a command that fails leaves the bot as it was.
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
from reconciler.agent.hummingbot.process import find_by_argument, find_process
from reconciler.agent.hummingbot.reconfigure import changed_fields, is_controller, not_taken
from reconciler.agent.hummingbot.supervisor import Supervisor
from reconciler.agent.model import StateChanged, Strategy
from reconciler.agent.responses import Refusal
from reconciler.agent.runner import BotEvent, EventListener
from reconciler.catalog import Catalog
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Performance

_STOPPING = "its stop was not finished"
"""The shutdown reason while a stop is under way: it distinguishes such a bot from one that crashed."""

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
        self._timeouts = options.timeouts
        self._bots: dict[str, Bot] = {}
        self._listener: EventListener | None = None
        self._clock: Callable[[], float] = lambda: 0.0

    async def open(self, listener: EventListener) -> None:
        self._listener = listener
        self._clock = asyncio.get_running_loop().time
        self._supervisor = Supervisor(self._backend, self._options, self._clock, self._forget)
        self._bots_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._backend.open()

    async def close(self) -> None:
        self._listener = None
        for bot in list(self._bots.values()):
            await Supervisor.unwatch(bot)
            bot.detach()
        self._bots.clear()
        await self._backend.close()

    def _forget(self, name: str) -> None:
        self._bots.pop(name, None)

    def _on_event(self, event: BotEvent) -> None:
        if isinstance(event, StateChanged) and event.state is Lifecycle.ERROR:
            _log.error("%s: %s", event.name, event.message)
        if self._listener is not None:
            self._listener(event)

    async def find(self) -> Mapping[str, Lifecycle]:
        for directory in bot_directories(self._bots_dir):
            if directory.name not in self._bots:
                await self._adopt(directory)
        return {name: _lifecycle(bot) for name, bot in self._bots.items() if bot.up}

    async def _adopt(self, directory: BotDirectory) -> None:
        """Take over a bot that an earlier agent started; report one that it was shutting down."""
        record = directory.read()
        process = (
            find_process(record.identity) if record is not None and record.identity is not None else None
        )
        process = process or find_by_argument(str(directory.root))
        if record is None:
            if process is not None:
                _log.error("%s: process %d runs, and nothing is known of it", directory.folder, process.pid)
                process.close()
            return
        bot = Bot(directory, record, self._clock, self._on_event)
        if record.shutdown_reason == _STOPPING and (process is not None or not await bot.orders_left()):
            bot.update_record(shutdown_reason="")
        if bot.record.shutdown_reason:
            bot.report_state(Lifecycle.ERROR, bot.record.shutdown_reason)
        if process is None:
            bot.update_record(shutdown_reason="")
            return
        bot.process = process
        bot.bridge = self._backend.connect(bot.name, bot)
        bot.state = _lifecycle(bot)
        bot.update_record(identity=process.identity)
        self._bots[bot.name] = bot
        self._supervisor.watch(bot)

    # Commands.

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        name = strategy.name
        if name in self._bots:
            raise CommandRejected(ErrorCode.ALREADY_RUNNING, "a bot of this name is running")
        directory = BotDirectory(self._bots_dir / name)
        record = BotRecord(strategy=strategy, paused=paused)
        bot = self._bots[name] = Bot(directory, record, self._clock, self._on_event)
        try:
            stray = find_by_argument(str(directory.root))
            if stray is not None:
                stray.close()
                reason = f"process {stray.pid} runs this bot already"
                raise CommandRejected(ErrorCode.ALREADY_RUNNING, reason)  # noqa: TRY301  (undone below, as every failure)
            check_room(self._bots_dir, self._options.least_free)
            try:
                await self._supervisor.start(bot)
            except OSError as error:
                raise CommandRejected(ErrorCode.INTERNAL, f"the bot cannot be started: {error}") from error
            await self._until_started(bot)
        except BaseException:
            await self._undo_start(bot)
            raise
        bot.state = _lifecycle(bot)
        self._supervisor.watch(bot)

    async def _until_started(self, bot: Bot) -> None:
        """Wait until a bot reports that it runs, or that it is paused as wanted.

        Raises:
            Refusal: its health rules that out; lasting, as far as only a person or another spec can help.
        """
        while True:
            await bot.poll_status()
            verdict = self._supervisor.judge(bot)
            if verdict.action is RecoveryAction.SHUT_DOWN:
                unready = bot.status is BotStatus.NOT_READY
                code = ErrorCode.EXCHANGE_UNAVAILABLE if unready else ErrorCode.INVALID_CONFIG
                raise Refusal(code, verdict.reason, lasting=True)
            if verdict.action is RecoveryAction.RESTART:
                raise Refusal(ErrorCode.INTERNAL, verdict.reason)
            if bot.status is not BotStatus.SILENT and verdict.state is not Lifecycle.STARTING:
                return
            if bot.process is not None:
                await bot.process.wait(self._timeouts.poll_s)

    async def _undo_start(self, bot: Bot) -> None:
        """Leave nothing running of a start that failed or was cancelled."""
        try:
            left = await self._supervisor.bring_down(bot)
            if left:
                _log.error("%s: %s", bot.name, left)
        finally:
            self._forget(bot.name)
            bot.detach()

    async def stop(self, name: str) -> None:
        bot = self._bots.get(name)
        if bot is None:
            return
        await Supervisor.unwatch(bot)
        bot.update_record(shutdown_reason=_STOPPING)
        try:
            left = await self._supervisor.bring_down(bot)
        except BaseException:
            self._supervisor.watch(bot)
            raise
        self._forget(name)
        bot.update_record(shutdown_reason="")
        bot.detach()
        if left:
            _log.error("%s: %s", name, left)
            raise Refusal(
                ErrorCode.INVALID_STATE, f"the bot is stopped, but {left}: look there, then stop it again"
            )

    async def pause(self, name: str) -> None:
        async with self._unsupervised(name) as (bot, bridge):
            if bot.record.paused:
                return
            bot.update_record(paused=True)
            try:
                await bot.while_alive(bridge.halt())
            except Unanswered as error:
                bot.update_record(paused=False)  # no pause while an order may be open: it is tried again
                raise Refusal(ErrorCode.TIMEOUT, f"the bot did not pause: {error}") from error
            bot.reset_status()
            deadline = self._clock() + self._timeouts.cancel_s
            while (left := await bot.orders_left()) and self._clock() < deadline:  # noqa: ASYNC110  (reads the disk)
                await asyncio.sleep(self._timeouts.poll_s)
            if left:
                bot.update_record(paused=False)
                raise Refusal(ErrorCode.EXCHANGE_UNAVAILABLE, f"the bot paused, but {left}")

    async def resume(self, name: str) -> None:
        async with self._unsupervised(name) as (bot, bridge):
            if not bot.record.paused:
                return
            self._backend.rewrite(bot.directory.root, bot.record.strategy)
            bot.reset_status()
            bot.update_record(paused=False, ran=False)
            try:
                await bridge.start()
                await self._until_started(bot)
            except BaseException as error:
                bot.update_record(paused=True)
                with contextlib.suppress(Unanswered):
                    await bridge.halt()
                if isinstance(error, Unanswered):
                    raise Refusal(ErrorCode.TIMEOUT, f"the bot did not resume: {error}") from error
                raise

    async def apply(self, strategy: Strategy) -> None:
        async with self._unsupervised(strategy.name) as (bot, bridge):
            fields = changed_fields(self._catalog, bot.record.strategy, strategy)
            if fields and not bot.record.paused:
                await self._reconfigure(bot, bridge, strategy, fields)
            self._backend.rewrite(bot.directory.root, strategy)
            bot.update_record(strategy=strategy)

    async def _reconfigure(
        self, bot: Bot, bridge: Bridge, strategy: Strategy, fields: Mapping[str, object]
    ) -> None:
        """Make a running bot take `fields` of `strategy`; if it does not, it gets the former ones back.

        Raises:
            Refusal: TIMEOUT: it did not reply; INVALID_CONFIG: it runs with something else.
        """
        before = bot.record.strategy
        reads_file = is_controller(self._catalog, strategy)
        try:
            if reads_file:
                self._backend.rewrite(bot.directory.root, strategy)
            else:
                await bridge.configure(fields)
            deadline = self._clock() + self._timeouts.reconfigure_s
            while (wrong := not_taken(fields, await bridge.config())) and self._clock() < deadline:  # noqa: ASYNC110  (asks the bot)
                await asyncio.sleep(self._timeouts.poll_s)
            if wrong:
                reason = f"the bot did not apply the config: {'; '.join(wrong)}"
                raise Refusal(ErrorCode.INVALID_CONFIG, reason)  # noqa: TRY301  (undone below, as every failure)
        except BaseException as error:
            self._backend.rewrite(bot.directory.root, before)
            if not reads_file:
                with contextlib.suppress(Unanswered):
                    await bridge.configure(changed_fields(self._catalog, strategy, before))
            if isinstance(error, Unanswered):
                raise Refusal(ErrorCode.TIMEOUT, f"the bot did not accept the config: {error}") from error
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
            _log.info("%s: its files are in %s", name, packed)

    @contextlib.asynccontextmanager
    async def _unsupervised(self, name: str) -> AsyncIterator[tuple[Bot, Bridge]]:
        """Hold a bot that is up, and its bridge, for one command; it is supervised again afterwards."""
        bot = self._bots.get(name)
        if bot is None or not bot.up or bot.bridge is None:
            raise CommandRejected(ErrorCode.INVALID_STATE, "the bot is not running")
        await Supervisor.unwatch(bot)
        try:
            yield bot, bot.bridge
            bot.state = _lifecycle(bot)
        finally:
            self._supervisor.watch(bot)

    def performance(self, name: str) -> Performance | None:
        bot = self._bots.get(name)
        return bot.performance() if bot is not None and bot.up else None


def _lifecycle(bot: Bot) -> Lifecycle:
    return Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
