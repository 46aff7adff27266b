"""
The agent: messages in, decisions written down, replies and statuses out, work to the runner.

Rule 1: nothing is published before it is written down (`_carry_out`).
Rule 2: everything retained is published again on every new connection; while disconnected nothing is sent.
Rule 3: an agent that ends stops no bot for good: what should run is restored with its next start.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from reconciler.agent.discovery import AnotherAgent
from reconciler.agent.executor import Executor
from reconciler.agent.journal import Journal
from reconciler.agent.model import AgentSession, StateChanged, Work
from reconciler.agent.processor import CommandProcessor
from reconciler.agent.publisher import Publisher
from reconciler.agent.runner import BotEvent, Runner
from reconciler.agent.settings import AgentSettings
from reconciler.agent.validation import Validator
from reconciler.errors import CommandRejected, ReconcilerError
from reconciler.model.state import Lifecycle
from reconciler.protocol.correlation import Identifiers
from reconciler.protocol.messages import LogRecord, MalformedMessage
from reconciler.protocol.reports import decode_presence
from reconciler.protocol.topics import TopicKind, Topics
from reconciler.transport.base import Message, Transport

PERFORMANCE_PER_S = 200.0
"""Performance of so many strategies a second at most: of 10,000 strategies each is published every 50 s."""

_log = logging.getLogger(__name__)


class AgentComponents(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is made of, open and ready; `transport` is not yet connected."""

    validator: Validator
    journal: Journal
    runner: Runner
    transport: Transport
    session: AgentSession


class Agent:
    """One agent, wired; `run` serves until it is asked to stop."""

    def __init__(self, settings: AgentSettings, components: AgentComponents) -> None:
        self._settings = settings
        self._topics = Topics(settings.root)
        self._journal = components.journal
        self._runner = components.runner
        self._transport = components.transport
        self._session = components.session
        self._loop = asyncio.get_running_loop()
        self.processor = CommandProcessor(
            self._topics,
            components.validator,
            self._journal.load(datetime.now(UTC)),
            api_keys=settings.api_keys,
            new_id=Identifiers(secrets.token_hex(4)).new,
        )
        self._publisher = Publisher(self._topics, components.transport, components.session, self.processor)
        self._executor = Executor(
            components.runner,
            timeout_s=settings.command_timeout_s,
            on_end=self._on_end,
            on_slow=self._on_slow,
        )
        self._turn_due = False
        self._serving = False
        self._leaving = False
        self._failure: asyncio.Future[None] = self._loop.create_future()

    async def run(self, stop: asyncio.Event, stale: set[str]) -> None:
        """Serve until `stop` is set. `stale`: names whose retained status may be out of date.

        Raises:
            BrokerError, StoreError: it cannot go on.
        """
        self._transport.on_message(self._on_message)
        self._transport.on_connection(self._on_connection)
        await self._transport.connect()
        try:
            await self._runner.open(self._on_event)
            self.processor.recover(await self._runner.find())
            self._publisher.clear_statuses(stale - self.processor.strategies.keys())
            await self._transport.subscribe([f"{self._topics.root}/strategy/+", self._topics.presence("+")])
            await self._serve(stop)
        finally:
            await self._executor.close()
            self._publisher.close()
            await self._runner.close()
            await self._transport.close()

    async def _serve(self, stop: asyncio.Event) -> None:
        """Publish everything, then serve until asked to stop or unable to go on."""
        self._serving = True
        self._publisher.publish_all()
        self._carry_out()
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(self._send_heartbeats()),
            asyncio.create_task(self._publish_performance()),
        ]
        try:
            await asyncio.wait({self._failure, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._failure, *tasks):
                if ended.done():
                    ended.result()
        finally:
            self._leaving = True
            await self._executor.close()
            await self._publisher.publish_offline()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # Callbacks of transport, runner and executor.

    def _on_message(self, message: Message) -> None:
        address = self._topics.read(message.topic)
        if address is None or message.retain or self._leaving:
            return  # a command is never retained: every new connection would carry it out again
        if address.kind is TopicKind.COMMAND:
            self.processor.process(address.name, message, datetime.now(UTC))
            self._carry_out_soon()
        elif address.kind is TopicKind.PRESENCE:
            try:
                presence = decode_presence(message.payload) if message.payload else None
            except MalformedMessage:
                presence = None
            name, online = address.name, presence is not None and presence.state == "online"
            if name == self._settings.name and not online:
                self._publisher.publish_presence()  # a broker published our will late, or it was cleared
            elif presence is not None and online and presence.session > self._session.session:
                self._fail(
                    AnotherAgent(f"agent {name!r} began to serve {self._topics.root} as well; this one ends")
                )

    def _on_connection(self, connected: bool, reason: str) -> None:
        if connected:
            _log.info("connected")
        else:
            _log.warning("disconnected: %s", reason)
        if connected and self._serving and not self._leaving:
            self._publisher.publish_all()

    def _on_event(self, event: BotEvent) -> None:
        if isinstance(event, LogRecord):
            self._publisher.publish_log(event)
            return
        if isinstance(event, StateChanged) and event.state is Lifecycle.ERROR:
            _log.warning("%s: %s", event.name, event.message)
        self.processor.apply_event(event)
        self._carry_out_soon()

    def _on_end(self, work: Work, error: CommandRejected | None) -> None:
        if error is not None:
            _log.warning("%s %s: %s", work.op, work.name, error)
        self.processor.finish(work, error, datetime.now(UTC))
        self._carry_out_soon()

    def _on_slow(self, work: Work) -> None:
        self.processor.report_accepted(work)
        self._carry_out_soon()

    # One turn: written down, published, handed to the runner.

    def _carry_out_soon(self) -> None:
        """Carry out the effects once everything that arrived in this turn of the loop is processed."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._carry_out)

    def _carry_out(self) -> None:
        self._turn_due = False
        effects = self.processor.take_effects()
        try:
            if effects.entry:
                self._journal.write(effects.entry)
        except ReconcilerError as error:
            self._fail(error)
            return
        self._publisher.publish(effects)
        for work in effects.works:
            self._executor.begin(work, self.processor.strategies[work.name])

    def _fail(self, error: ReconcilerError) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    # Tasks.

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            now = datetime.now(UTC)
            self._journal.tidy(now)
            self.processor.expire_replies(now)
            self._carry_out_soon()
            if self._transport.connected:
                self._publisher.publish_presence()
                self._publisher.publish_owed()

    async def _publish_performance(self) -> None:
        """Publish the performance of one running strategy after the other, evenly over the interval."""
        while True:
            running = [s.name for s in self.processor.strategies.values() if s.state is Lifecycle.RUNNING]
            if not running:
                await asyncio.sleep(self._settings.performance_interval_s)
            for name in running:
                pause_s = max(self._settings.performance_interval_s / len(running), 1 / PERFORMANCE_PER_S)
                await asyncio.sleep(pause_s)
                performance = self._runner.performance(name)
                if performance is not None:
                    self._publisher.publish_performance(performance)
