"""One bot that is up, or on its way there or back: what is known of it. It decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from reconciler.agent.hummingbot.bridge import WORK_S, Bridge, Unanswered
from reconciler.agent.hummingbot.directory import BotDirectory, BotRecord, TradeHistory
from reconciler.agent.hummingbot.health import BotStatus, HealthSignals, brake_in
from reconciler.agent.hummingbot.launch import Launch
from reconciler.agent.hummingbot.options import Timeouts
from reconciler.agent.hummingbot.performance import of_fills, of_report
from reconciler.agent.hummingbot.process import Process, begin
from reconciler.agent.model import StateChanged
from reconciler.agent.runner import Listener
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import LogRecord, Performance
from reconciler.protocol.times import format_time

T = TypeVar("T")

_ERRORS = {"ERROR", "CRITICAL"}
_COMPLAINT = 300
"""Characters of an error that are passed on: the first line of a traceback says what is wrong."""


class Bot:
    """What is known of one bot. It hears its bridge (bridge.BotListener).

    `restart_at`: it crashed, and is begun again then. `state`: as it was last told. `watch`: who looks after it.
    """

    def __init__(
        self, directory: BotDirectory, record: BotRecord, clock: Callable[[], float], listener: Listener
    ) -> None:
        self.directory = directory
        self.record = record
        self.process: Process | None = None
        self.bridge: Bridge | None = None
        self.restart_at: float | None = None
        self.state = Lifecycle.STARTING
        self.answer = BotStatus.SILENT
        self.watch: asyncio.Task[None] | None = None
        self.began_at = clock()
        self._clock = clock
        self._listener = listener
        self._heard_at = self._answer_since = clock()
        self._heard = True
        self._complaint = ""
        self._brake = ""
        self._report: Mapping[str, Any] | None = None
        self._trades = TradeHistory(directory.database)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def up(self) -> bool:
        """Whether there is a process that can be commanded."""
        return self.restart_at is None and not self.record.shutdown_reason and self.lives

    @property
    def lives(self) -> bool:
        """Whether its process has not ended."""
        return self.process is not None and self.process.alive

    def note(self, **fields: Any) -> None:  # noqa: ANN401  (any field of Record)
        """Write down what has changed."""
        changed = msgspec.structs.replace(self.record, **fields)
        if changed != self.record:
            self.record = changed
            self.directory.write(changed)

    # What it says.

    def on_alive(self) -> None:
        self._heard, self._heard_at = True, self._clock()

    def on_log(self, level: str, logger: str, message: str) -> None:
        self.on_alive()
        if level in _ERRORS:
            self._complaint = message.strip().partition("\n")[0][:_COMPLAINT]
        self._brake = self._brake or brake_in(message)
        when = format_time(datetime.now(UTC))
        self._listener(
            LogRecord(strategy_name=self.name, timestamp=when, level=level, message=message, logger=logger)
        )

    def on_report(self, report: Mapping[str, Any]) -> None:
        self.on_alive()
        self._report = report

    def tell(self, state: Lifecycle, message: str = "") -> None:
        """Tell the agent that it moved by itself."""
        self.state = state
        self._listener(StateChanged(self.name, state, message))

    async def ask(self) -> None:
        """Ask how it is; no answer changes nothing. One that has just begun is not asked before it is heard."""
        if self.bridge is None or not self._heard:
            return
        with contextlib.suppress(Unanswered):
            answer = await self.while_it_lives(self.bridge.status())
            self.on_alive()
            if answer is not self.answer:
                self.answer, self._answer_since = answer, self._clock()
            if answer is BotStatus.RUNS:
                self.note(ran=True)

    async def while_it_lives(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work`, a question to it, gives; one whose process has ended answers no more.

        Raises:
            Unanswered: its process ended first, or what `work` raises.
        """
        if self.process is None:
            return await work
        asking = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self.process.wait(WORK_S))
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() or not ending.result():
                return await asking
            raise Unanswered("its process ended")
        finally:
            asking.cancel()
            ending.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)

    def forget_answers(self) -> None:
        """What it said before a command means nothing after it."""
        self.answer, self._answer_since = BotStatus.SILENT, self._clock()
        self._complaint = self._brake = ""

    def signals(self, *, line: bool) -> HealthSignals:
        """All that is known now. `line`: whether our own connection stands."""
        now = self._clock()
        if not line:
            self._heard_at = now  # silence begins anew when we can hear again
        process = self.process
        return HealthSignals(
            alive=self.lives,
            line=line,
            paused=self.record.paused,
            ran=self.record.ran,
            before=self.state,
            answer=self.answer,
            answer_age_s=now - self._answer_since,
            heard_age_s=now - self._heard_at,
            exit_code=process.exit_code if process is not None else None,
            memory_bytes=process.memory_bytes() if process is not None else 0,
            complaint=self._complaint or self._last_words(),
            brake=self._brake,
        )

    def _last_words(self) -> str:
        """Why its process ended, if it said so: our launcher's reason is the last line that it prints."""
        if self.lives or self.process is None:
            return ""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError):
            last = self.directory.output.read_text(errors="replace").strip().splitlines()[-1]
            return str(json.loads(last)["reason"])[:_COMPLAINT]
        return ""

    # Its process.

    def begin(self, launch: Launch) -> None:
        """Begin its process and write it down.

        Raises:
            OSError: it cannot be begun, or not be written down; then none was.
        """
        self.let_go()
        self.forget_answers()
        self.began_at = self._heard_at = self._clock()
        self._heard = False
        process = begin(launch.argv, launch.env, secret=launch.secret, output=self.directory.output)
        self.process = process
        try:
            self.note(identity=process.identity, ran=False)
        except OSError:
            process.send(signal.SIGKILL)
            raise

    async def end(self, timeouts: Timeouts) -> bool:
        """End its process in good order: SIGTERM, and SIGKILL to one that will not; whether that was needed."""
        process = self.process
        if process is None or not process.alive:
            return False
        process.send(signal.SIGTERM)
        if await process.wait(timeouts.term_s):
            return False
        process.send(signal.SIGKILL)
        await process.wait(timeouts.kill_s)
        return True

    def let_go(self) -> None:
        """Hold its process no more; it lives on."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def leave(self) -> None:
        """Hear and hold it no more; it lives on."""
        if self.bridge is not None:
            self.bridge.close()
            self.bridge = None
        self.let_go()

    # What it did.

    async def look_at_trades(self) -> None:
        """Take in its newest trades."""
        self._trades.take(await asyncio.to_thread(self._trades.read))

    async def orders_left(self) -> str:
        """What may be open at the exchange, in words; empty if nothing is, as far as it wrote down."""
        await self.look_at_trades()
        orders = self._trades.open_orders
        if orders is None:
            return "what orders it has cannot be read" if self.record.ran else ""
        if not orders:
            return ""
        count = f"{len(orders)} order{'s' if len(orders) > 1 else ''}"
        return f"{count} may be open at the exchange: {', '.join(map(str, orders))}"

    def figures(self) -> Performance | None:
        """What it earned, as last known."""
        now = format_time(datetime.now(UTC))
        orders = self._trades.open_orders
        standing = None if orders is None else len(orders)
        reported = of_report(self.name, now, self._report, standing) if self._report else None
        if reported is not None or orders is None:
            return reported
        return of_fills(self.name, now, self._trades.holdings, standing)
