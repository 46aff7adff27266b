"""
The agent itself: messages in, decisions written down, answers and statuses out, runners at work.

Rule 1: nothing is answered before what it says is written down (`_turn`).
Rule 2: all that is retained is told again on every new connection; while disconnected nothing is sent.
Rule 3: leaving stops no bot for good: what should run comes back with the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from datetime import UTC, datetime

import msgspec

from reconciler.agent.discovery import AnotherAgent
from reconciler.agent.executor import Executor
from reconciler.agent.journal import Journal
from reconciler.agent.model import AgentSession, StateChanged, Work
from reconciler.agent.processor import CommandProcessor
from reconciler.agent.publisher import Publisher
from reconciler.agent.runner import Event, Runner
from reconciler.agent.settings import AgentSettings
from reconciler.agent.validation import Validator
from reconciler.errors import BrokerError, CommandRejected, ReconcilerError
from reconciler.model.state import Lifecycle
from reconciler.protocol.correlation import Identifiers
from reconciler.protocol.messages import LogRecord, MalformedMessage, decode_presence
from reconciler.protocol.topics import Kind, Topics
from reconciler.transport.base import Message, Transport

PERFORMANCE_PER_S = 200.0
"""Figures of so many strategies a second at most: of 10,000 each is heard of every 50 s."""

ALONE_S = 60.0
"""After so long without a broker the transport may have given up coming back: then we ask it to."""

_log = logging.getLogger(__name__)


class AgentComponents(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is made of, open and ready; `transport` is not yet connected."""

    validator: Validator
    journal: Journal
    runner: Runner
    transport: Transport
    session: AgentSession


class Agent:
    """One agent, wired. `run` is its life."""

    def __init__(self, settings: AgentSettings, components: AgentComponents) -> None:
        self._runner = components.runner
        self._settings = settings
        self._topics = Topics(settings.root)
        self._journal = components.journal
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
        self._alone_since = 0.0
        self._end: asyncio.Future[None] = self._loop.create_future()

    async def run(self, stop: asyncio.Event, leftovers: set[str]) -> None:
        """Serve until `stop` is set. `leftovers`: names whose retained status may be out of date.

        Raises:
            BrokerError, StoreError: it cannot go on.
        """
        self._transport.on_message(self._on_message)
        self._transport.on_connection(self._on_connection)
        await self._transport.connect()
        try:
            await self._runner.open(self._on_event)
            self.processor.come_back(await self._runner.find())
            self._publisher.clear(leftovers - self.processor.strategies.keys())
            await self._transport.subscribe([f"{self._topics.root}/strategy/+", self._topics.presence("+")])
            await self._serve(stop)
        finally:
            await self._leave()

    async def _serve(self, stop: asyncio.Event) -> None:
        """Announce everything, then work until asked to stop or unable to go on."""
        self._serving = True
        self._publisher.announce()
        self._turn()
        chores = [self._beat(), self._perform(), _set(stop)]
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            await asyncio.wait({self._end, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._end, *tasks):
                if ended.done():
                    ended.result()
        finally:
            self._leaving = True
            await self._executor.close()
            await self._publisher.farewell()
            await _cancel(tasks)

    async def _leave(self) -> None:
        await self._executor.close()
        self._publisher.close()
        await self._runner.close()
        await self._transport.close()

    # What arrives.

    def _on_message(self, message: Message) -> None:
        address = self._topics.read(message.topic)
        if address is None or message.retain or self._leaving:
            return  # a command is never retained: it would be carried out anew at each connection
        if address.kind is Kind.COMMAND:
            self.processor.take(address.name, message, datetime.now(UTC))
            self._soon()
        elif address.kind is Kind.PRESENCE:
            self._on_presence(address.name, message.payload)

    def _on_presence(self, name: str, payload: bytes) -> None:
        """Put right what is wrongly said of us, and make way for an agent that has the better claim."""
        try:
            presence = decode_presence(payload) if payload else None
        except MalformedMessage:
            presence = None
        ours = name == self._settings.name
        online = presence is not None and presence.state == "online"
        if ours and not online:
            self._publisher.present()
        elif presence is not None and online and presence.session > self._session.session:
            self._fail(
                AnotherAgent(f"agent {name!r} began to serve {self._topics.root} as well; this one ends")
            )

    def _on_connection(self, connected: bool, reason: str) -> None:
        if connected:
            _log.info("connected")
        else:
            _log.warning("disconnected: %s", reason)
            self._alone_since = self._loop.time()
        if connected and self._serving and not self._leaving:
            self._publisher.announce()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, LogRecord):
            self._publisher.log(event)
            return
        if isinstance(event, StateChanged) and event.state is Lifecycle.ERROR:
            _log.warning("%s: %s", event.name, event.message)
        self.processor.happened(event)
        self._soon()

    # What follows.

    def _soon(self) -> None:
        """Carry out what was decided once everything that arrived with it is decided too."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        turn = self.processor.next_turn()
        try:
            if turn.entry:
                self._journal.write(turn.entry)
        except ReconcilerError as error:
            self._fail(error)
            return
        self._publisher.tell(turn)
        for work in turn.works:
            self._executor.begin(work, self.processor.strategies[work.name])

    def _on_end(self, work: Work, error: CommandRejected | None) -> None:
        if error is not None:
            _log.warning("%s %s: %s", work.op, work.name, error)
        self.processor.finish(work, error, datetime.now(UTC))
        self._soon()

    def _on_slow(self, work: Work) -> None:
        self.processor.takes_long(work)
        self._soon()

    def _fail(self, error: ReconcilerError) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    # What goes on all the time.

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            now = datetime.now(UTC)
            self._journal.tidy(now)
            self.processor.forget_old(now)
            self._soon()
            if self._transport.connected:
                self._publisher.present()
                self._publisher.make_up()
            elif self._loop.time() - self._alone_since > ALONE_S:
                await self._ask_again()

    async def _ask_again(self) -> None:
        """Knock at a broker that has refused us: bots are running, and somebody may mend its password file."""
        with contextlib.suppress(BrokerError):
            await self._transport.connect()

    async def _perform(self) -> None:
        """Publish figures one strategy after the other, evenly over the interval."""
        while True:
            running = [s.name for s in self.processor.strategies.values() if s.state is Lifecycle.RUNNING]
            if not running:
                await asyncio.sleep(self._settings.performance_interval_s)
            for name in running:
                await asyncio.sleep(
                    max(self._settings.performance_interval_s / len(running), 1 / PERFORMANCE_PER_S)
                )
                figures = self._runner.performance(name)
                if figures is not None:
                    self._publisher.perform(figures)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
