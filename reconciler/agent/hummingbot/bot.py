"""
One bot that is up, starting or shutting down: its record, process, bridge, trades, and what it published last.

Rule 1: it gathers and carries out; health judges, and the supervisor and the runner decide.
Rule 2: what a restarted agent must know is in the record on disk before it takes effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from reconciler.agent.hummingbot.bridge import COMMAND_S, Bridge, Unanswered
from reconciler.agent.hummingbot.directory import BotDirectory, BotRecord, TradeHistory
from reconciler.agent.hummingbot.health import BotStatus, HealthSignals, limit_reached_in
from reconciler.agent.hummingbot.launch import Launch
from reconciler.agent.hummingbot.options import Timeouts
from reconciler.agent.hummingbot.performance import performance_from_fills, performance_from_report
from reconciler.agent.hummingbot.process import Process, spawn
from reconciler.agent.model import StateChanged
from reconciler.agent.runner import EventListener
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import LogRecord, Performance
from reconciler.protocol.times import format_time

T = TypeVar("T")

_ERRORS = {"ERROR", "CRITICAL"}
_LONGEST_ERROR = 300
"""Characters of an error that are passed on: the first line of a traceback says what is wrong."""


class Bot:
    """What is known of one bot. It is the listener of its bridge (bridge.BotListener).

    `restart_at`: the loop's time at which it is restarted after a crash. `state`: as last reported. `watch`: the
    supervisor's task. `started_at`: the loop's time of the last start.
    """

    def __init__(
        self, directory: BotDirectory, record: BotRecord, clock: Callable[[], float], listener: EventListener
    ) -> None:
        self.directory = directory
        self.record = record
        self.process: Process | None = None
        self.bridge: Bridge | None = None
        self.restart_at: float | None = None
        self.state = Lifecycle.STARTING
        self.status = BotStatus.SILENT
        self.watch: asyncio.Task[None] | None = None
        self.started_at = clock()
        self._clock = clock
        self._listener = listener
        self._last_message_at = self._status_since = clock()
        self._heard_from = True
        self._last_error = ""
        self._limit_reached = ""
        self._report: Mapping[str, Any] | None = None
        self._trades = TradeHistory(directory.database)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def up(self) -> bool:
        """Whether there is a process that can be commanded."""
        return self.restart_at is None and not self.record.shutdown_reason and self.alive

    @property
    def alive(self) -> bool:
        """Whether its process has not ended."""
        return self.process is not None and self.process.alive

    def update_record(self, **fields: Any) -> None:  # noqa: ANN401  (any field of BotRecord)
        """Change fields of the record, on disk too.

        Raises:
            OSError: it cannot be written.
        """
        changed = msgspec.structs.replace(self.record, **fields)
        if changed != self.record:
            self.record = changed
            self.directory.write(changed)

    # What it publishes.

    def on_alive(self) -> None:
        self._heard_from, self._last_message_at = True, self._clock()

    def on_log(self, level: str, logger: str, message: str) -> None:
        self.on_alive()
        if level in _ERRORS:
            self._last_error = message.strip().partition("\n")[0][:_LONGEST_ERROR]
        self._limit_reached = self._limit_reached or limit_reached_in(message)
        when = format_time(datetime.now(UTC))
        self._listener(
            LogRecord(strategy_name=self.name, timestamp=when, level=level, message=message, logger=logger)
        )

    def on_report(self, report: Mapping[str, Any]) -> None:
        self.on_alive()
        self._report = report

    def report_state(self, state: Lifecycle, message: str = "") -> None:
        """Report to the agent a change of state that no command caused."""
        self.state = state
        self._listener(StateChanged(self.name, state, message))

    # Its status.

    async def poll_status(self) -> None:
        """Request its status; without a reply nothing changes. After a start it is not asked before its first message."""
        if self.bridge is None or not self._heard_from:
            return
        with contextlib.suppress(Unanswered):
            status = await self.while_alive(self.bridge.status())
            self.on_alive()
            if status is not self.status:
                self.status, self._status_since = status, self._clock()
            if status is BotStatus.RUNNING:
                self.update_record(ran=True)

    async def while_alive(self, request: Coroutine[Any, Any, T]) -> T:
        """Return the result of a request to it, unless its process ends first.

        Raises:
            Unanswered: its process ended, or what `request` raises.
        """
        if self.process is None:
            return await request
        replied = asyncio.ensure_future(request)
        ended = asyncio.ensure_future(self.process.wait(COMMAND_S))
        try:
            await asyncio.wait({replied, ended}, return_when=asyncio.FIRST_COMPLETED)
            if replied.done() or not ended.result():
                return await replied
            raise Unanswered("its process ended")
        finally:
            replied.cancel()
            ended.cancel()
            await asyncio.gather(replied, ended, return_exceptions=True)

    def reset_status(self) -> None:
        """Forget its status, error and limit: what it said before a command means nothing after it."""
        self.status, self._status_since = BotStatus.SILENT, self._clock()
        self._last_error = self._limit_reached = ""

    def signals(self, *, connected: bool) -> HealthSignals:
        """Return all that is known now. `connected`: whether the agent's connection to the broker stands."""
        now = self._clock()
        if not connected:
            self._last_message_at = now  # silence is counted from the moment the connection stands again
        process = self.process
        return HealthSignals(
            alive=self.alive,
            connected=connected,
            paused=self.record.paused,
            has_run=self.record.ran,
            previous_state=self.state,
            status=self.status,
            status_age_s=now - self._status_since,
            silence_s=now - self._last_message_at,
            exit_code=process.exit_code if process is not None else None,
            memory_bytes=process.memory_bytes() if process is not None else 0,
            last_error=self._last_error or self._printed_reason(),
            limit_reached=self._limit_reached,
        )

    def _printed_reason(self) -> str:
        """Why its process ended, if the launcher printed it: as JSON, in the last line of its output."""
        if self.alive or self.process is None:
            return ""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError):
            last = self.directory.output.read_text(errors="replace").strip().splitlines()[-1]
            return str(json.loads(last)["reason"])[:_LONGEST_ERROR]
        return ""

    # Its process.

    def start_process(self, launch: Launch) -> None:
        """Start its process and record it.

        Raises:
            OSError: it cannot be started or recorded; then no process is left.
        """
        self.release_process()
        self.reset_status()
        self.started_at = self._last_message_at = self._clock()
        self._heard_from = False
        process = spawn(launch.argv, launch.env, secret=launch.secret, output=self.directory.output)
        self.process = process
        try:
            self.update_record(identity=process.identity, ran=False)
        except OSError:
            process.send(signal.SIGKILL)
            raise

    async def terminate(self, timeouts: Timeouts) -> bool:
        """End its process: SIGTERM, then SIGKILL. Returns whether SIGKILL was needed."""
        process = self.process
        if process is None or not process.alive:
            return False
        process.send(signal.SIGTERM)
        if await process.wait(timeouts.terminate_s):
            return False
        process.send(signal.SIGKILL)
        await process.wait(timeouts.kill_s)
        return True

    def release_process(self) -> None:
        """Hold its process no more; it lives on."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def detach(self) -> None:
        """Close its bridge and release its process; it lives on."""
        if self.bridge is not None:
            self.bridge.close()
            self.bridge = None
        self.release_process()

    # Its trades.

    async def update_trades(self) -> None:
        """Read its newest trades."""
        self._trades.apply(await asyncio.to_thread(self._trades.read))

    async def orders_left(self) -> str:
        """Return a sentence on what may be open at the exchange; empty if its database has no open order."""
        await self.update_trades()
        orders = self._trades.open_orders
        if orders is None:
            return "its orders cannot be read" if self.record.ran else ""
        if not orders:
            return ""
        count = f"{len(orders)} order{'s' if len(orders) > 1 else ''}"
        return f"{count} may be open at the exchange: {', '.join(map(str, orders))}"

    def performance(self) -> Performance | None:
        """Return its figures as last known; those of its report, if it publishes one, before those of its fills."""
        now = format_time(datetime.now(UTC))
        orders = self._trades.open_orders
        count = None if orders is None else len(orders)
        reported = performance_from_report(self.name, now, self._report, count) if self._report else None
        if reported is not None or orders is None:
            return reported
        return performance_from_fills(self.name, now, self._trades.holdings, count)
