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

from reconciler.agent.hummingbot.archive import pack_and_remove
from reconciler.agent.hummingbot.bot import Bot
from reconciler.agent.hummingbot.changing import Change
from reconciler.agent.hummingbot.health import Answer, Care
from reconciler.agent.hummingbot.home import Home, Record, homes
from reconciler.agent.hummingbot.inside import Bridge, Inside, Unanswered
from reconciler.agent.hummingbot.keeper import Keeper
from reconciler.agent.hummingbot.limits import check_room
from reconciler.agent.hummingbot.options import Options
from reconciler.agent.hummingbot.process import Process, find, find_by_argument
from reconciler.agent.hummingbot.taken import changed_fields
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

    def __init__(self, state_dir: Path, *, catalog: Catalog, inside: Inside, options: Options) -> None:
        self._bots_dir = state_dir / "bots"
        self._archives = state_dir / "archive"
        self._catalog = catalog
        self._inside = inside
        self._options = options
        self._bots: dict[str, Bot] = {}
        self._listener: Listener = _ignore
        self._clock: Callable[[], float] = lambda: 0.0

    async def open(self, listener: Listener) -> None:
        self._listener = listener
        self._clock = asyncio.get_running_loop().time
        self._keeper = Keeper(self._inside, self._options, self._clock, self._forget)
        self._bots_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._inside.open()

    async def close(self) -> None:
        self._listener = _ignore
        for bot in list(self._bots.values()):
            await Keeper.unwatch(bot)
            bot.leave()
        self._bots.clear()
        await self._inside.close()

    def _forget(self, name: str) -> None:
        self._bots.pop(name, None)

    async def find(self) -> Mapping[str, Lifecycle]:
        for home in homes(self._bots_dir):
            if home.name not in self._bots:
                await self._find(home)
        return {
            name: Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
            for name, bot in self._bots.items()
            if bot.up
        }

    async def _find(self, home: Home) -> None:
        """Take up a bot that an earlier agent began; one that was to be brought down is told of at once."""
        record = home.read()
        process = find(record.birth) if record is not None and record.birth is not None else None
        process = process or find_by_argument(str(home.root))
        if record is None:
            if process is not None:
                _log.error("%s: process %d runs, and nothing is known of it", home.folder, process.pid)
                process.close()
            return
        bot = self._bot(home, record)
        if record.doom == _STOPPING and (process is not None or not await bot.orders_left()):
            bot.note(doom="")
        if bot.record.doom:
            bot.tell(Lifecycle.ERROR, bot.record.doom)
        if process is None:
            bot.note(doom="")
            return
        self._take_up(bot, process)

    def _take_up(self, bot: Bot, process: Process) -> None:
        bot.process = process
        bot.bridge = self._inside.connect(bot.name, bot)
        bot.state = Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
        bot.note(birth=process.birth)
        self._bots[bot.name] = bot
        self._keeper.watch(bot)

    def _bot(self, home: Home, record: Record) -> Bot:
        return Bot(home, record, self._clock, self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state is Lifecycle.ERROR:
            _log.error("%s: %s", event.name, event.message)
        self._listener(event)

    # Commands.

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        name = strategy.name
        if name in self._bots:
            raise CommandRejected(ErrorCode.ALREADY_RUNNING, "a bot of this name is up")
        home = Home(self._bots_dir / name)
        bot = self._bots[name] = self._bot(home, Record(strategy=strategy, paused=paused))
        try:
            await self._start(bot)
        except BaseException:
            await self._undo_start(bot)
            raise
        bot.state = Lifecycle.PAUSED if paused else Lifecycle.RUNNING
        self._keeper.watch(bot)

    async def _start(self, bot: Bot) -> None:
        stray = find_by_argument(str(bot.home.root))
        if stray is not None:
            stray.close()
            raise CommandRejected(ErrorCode.ALREADY_RUNNING, f"process {stray.pid} runs this bot already")
        check_room(self._bots_dir, self._options.least_free)
        try:
            await self._keeper.begin(bot)
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
            verdict = self._keeper.judged(bot)
            if verdict.care is Care.BRING_DOWN:
                unready = bot.answer is Answer.NOT_READY
                code = ErrorCode.EXCHANGE_UNAVAILABLE if unready else ErrorCode.INVALID_CONFIG
                raise Refusal(code, verdict.reason, lasting=True)
            if verdict.care is Care.RESTART:
                raise Refusal(ErrorCode.INTERNAL, verdict.reason)
            if bot.answer is not Answer.SILENT and verdict.state is not Lifecycle.STARTING:
                return
            if bot.process is not None:
                await bot.process.wait(self._options.patience.settle_s)

    async def _undo_start(self, bot: Bot) -> None:
        """Leave nothing running of a start that failed or was overtaken."""
        try:
            left = await self._keeper.bring_down(bot)
            if left:
                _log.error("%s: %s", bot.name, left)
        finally:
            self._forget(bot.name)
            bot.leave()

    async def stop(self, name: str) -> None:
        bot = self._bots.get(name)
        if bot is None:
            return
        await Keeper.unwatch(bot)
        bot.note(doom=_STOPPING)
        try:
            left = await self._keeper.bring_down(bot)
        except BaseException:
            self._keeper.watch(bot)
            raise
        self._forget(name)
        bot.note(doom="")
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
        deadline = self._clock() + self._options.patience.orders_s
        while (left := await bot.orders_left()) and self._clock() < deadline:  # noqa: ASYNC110  (asks the disk)
            await asyncio.sleep(self._options.patience.settle_s)
        return left

    async def resume(self, name: str) -> None:
        async with self._taken(name) as bot:
            if not bot.record.paused:
                return
            self._inside.rewrite(bot.home.root, bot.record.strategy)
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
                change = Change(self._catalog, self._inside, self._options.patience, self._clock)
                await change.give(bot, _bridge(bot), strategy, fields)
            self._inside.rewrite(bot.home.root, strategy)
            bot.note(strategy=strategy)

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
        await Keeper.unwatch(bot)
        try:
            yield bot
            bot.state = Lifecycle.PAUSED if bot.record.paused else Lifecycle.RUNNING
        finally:
            self._keeper.watch(bot)

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
