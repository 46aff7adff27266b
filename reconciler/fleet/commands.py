"""
What is asked of the bots: who asks, the commands in flight, and which answer belongs to which.

Rule 1: nothing here waits for one strategy's sake: a command is posted, and what becomes of it is news to its `PendingCommand`.
Rule 2: to a Basic peer one command is in flight per root; its late answer would be taken for the next one's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from types import TracebackType

import msgspec

from reconciler.errors import BrokerError, StoreError
from reconciler.fleet.batching import Batcher, OutgoingCommand
from reconciler.fleet.target import Target
from reconciler.model.change import Step
from reconciler.model.spec import Key
from reconciler.model.state import ObservedStrategy
from reconciler.protocol.batches import unpack_responses
from reconciler.protocol.commands import build
from reconciler.protocol.correlation import Identifiers, ResponseMatcher
from reconciler.protocol.messages import Command, CommandMeta, MalformedMessage, Reply, decode_reply, encode
from reconciler.protocol.signing import sign
from reconciler.protocol.times import format_second
from reconciler.protocol.topics import BATCH, Topics
from reconciler.transport.base import Message, PublishResult, Transport

LATE_ANSWER_S = 2.0
"""How long a Basic peer may take to answer what its status has shown already."""

LOOK_EVERY_S = 0.25
"""How often whoever asked looks again without news: ageing and the Basic window pass without a message."""


class CommandContext(msgspec.Struct, frozen=True, gc=False):
    """What goes with a command. `idempotency_key`: the same for every attempt at one step."""

    idempotency_key: str
    commit: str
    timeout_s: float


class ControllerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are on the wire: `owner` marks whose strategies these are, `epoch` fences out older controllers."""

    controller: str
    owner: str
    epoch: int
    api_key: str | None = None
    api_secret: str | None = None

    def meta(self, topics: Topics, request_id: str, order: CommandContext) -> CommandMeta:
        """What every Extended command carries; what the step itself knows is added by `commands.build`."""
        return CommandMeta(
            v=1,
            request_id=request_id,
            reply_to=topics.reply_to(self.controller),
            idempotency_key=order.idempotency_key,
            commit=order.commit,
            owner=self.owner,
            epoch=self.epoch,
            expires_at=format_second(int(time.time() + order.timeout_s)),
        )

    def signed(self, topic: str, command: Command) -> Command:
        """`command` with our signature, if we have a key to sign with."""
        if not self.api_key or not self.api_secret:
            return command
        return sign(topic, command, api_key=self.api_key, api_secret=self.api_secret)


class News:
    """What one waits for, again and again; `asyncio.Event` is made for many who wait, and takes 5 µs to make."""

    def __init__(self) -> None:
        self._there = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """There is news."""
        self._there = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return once there is news since this last returned."""
        if not self._there:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._there = False


class PendingCommand:
    """One command in flight: its newest answer, and `news` at every answer or change of status, and every
    `LOOK_EVERY_S`.

    `before`: what was seen of the strategy when the command was sent. `unheard`: nobody had subscribed. `lost`: why
    nobody can say whether it arrived.
    """

    def __init__(self, key: Key, request_id: str, *, extended: bool, before: ObservedStrategy | None) -> None:
        self.key = key
        self.request_id = request_id
        self.extended = extended
        self.before = before
        self.reply: Reply | None = None
        self.unheard = False
        self.lost: BrokerError | StoreError | None = None
        self.news = News()

    def take(self, reply: Reply) -> None:
        self.reply = reply
        self.news.set()

    def sent(self, outcome: PublishResult | BrokerError | StoreError) -> None:
        """Take note of what the broker said of the command, or of why it was not sent."""
        if isinstance(outcome, PublishResult):
            self.unheard = outcome.no_subscribers
        else:
            self.lost = outcome
            self.news.set()


class CommandTracker:
    """All commands in flight over one transport."""

    def __init__(self, transport: Transport, identity: ControllerIdentity) -> None:
        self.identity = identity
        self.courier = Batcher(transport, identity.controller)
        self._pending = ResponseMatcher()
        self._asks: dict[str, PendingCommand] = {}
        self._by_key: dict[Key, list[PendingCommand]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ids = Identifiers(secrets.token_hex(12))

    def begin(
        self, target: Target, key: Key, step: Step, order: CommandContext, *, extended: bool
    ) -> PendingCommand:
        """Send the command that carries out `step`, and expect its answer from now on.

        Raises:
            CommandRejected: this peer cannot be told so.
        """
        before = target.state.believed(key.name)
        ask = PendingCommand(key, self._ids.new(), extended=extended, before=before)
        self._send(target, ask, step, order)
        self._pending.register(
            ask.request_id, step.op, key.name, basic=not extended, response=target.topics.response
        )
        self._asks[ask.request_id] = ask
        self._by_key.setdefault(key, []).append(ask)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
        return ask

    def _send(self, target: Target, ask: PendingCommand, step: Step, order: CommandContext) -> None:
        meta = self.identity.meta(target.topics, ask.request_id, order) if ask.extended else None
        _, command = build(step, ask.key.name, meta)
        if meta is not None:
            command = self.identity.signed(target.topics.command(step.op), command)
        request_id = ask.request_id if ask.extended else ""
        self.courier.put(
            target, OutgoingCommand(step.op, encode(command), request_id, order.timeout_s, ask.sent)
        )

    def end(self, ask: PendingCommand) -> None:
        """Expect nothing any more; an answer that comes late is not matched."""
        self._pending.forget(ask.request_id)
        del self._asks[ask.request_id]
        others = self._by_key[ask.key]
        others.remove(ask)
        if not others:
            del self._by_key[ask.key]

    def close(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look) if self._asks else None
        for ask in self._asks.values():
            ask.news.set()

    def on_reply(self, message: Message) -> None:
        """Give an answer, or several in one message, to whoever asked."""
        topic, _, level = message.topic.rpartition("/")
        correlation = message.properties.correlation_data if message.properties else None
        try:
            if level == BATCH:
                for response in unpack_responses(message.payload):
                    self._match(decode_reply(response), None, topic)
            else:
                self._match(decode_reply(message.payload), correlation, message.topic)
        except MalformedMessage:
            return  # an answer that cannot be read is no answer: the step's status decides

    def _match(self, reply: Reply, correlation: bytes | None, topic: str) -> None:
        request_id = self._pending.match(reply, correlation, topic)
        if request_id is not None and request_id in self._asks:
            self._asks[request_id].take(reply)

    def on_status(self, key: Key) -> None:
        """Tell whoever asked something of `key` that there is news of it."""
        for ask in self._by_key.get(key, ()):
            ask.news.set()


class Exchange:
    """`async with` it: sends one command, and listens for its answer and for news while the block runs.

    Raises:
        CommandRejected: this peer cannot be told so.
    """

    def __init__(
        self, asks: CommandTracker, target: Target, key: Key, step: Step, order: CommandContext
    ) -> None:
        self._asks = asks
        self._target = target
        self._key = key
        self._step = step
        self._order = order
        self._extended = target.extended

    async def __aenter__(self) -> PendingCommand:
        if not self._extended:
            await self._target.one_at_a_time.acquire()
        try:
            self._ask = self._asks.begin(
                self._target, self._key, self._step, self._order, extended=self._extended
            )
        except BaseException:
            self._let_others()
            raise
        return self._ask

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self._extended:
                await self._hear_out()
        finally:
            self._asks.end(self._ask)
            self._let_others()

    def _let_others(self) -> None:
        if not self._extended:
            self._target.one_at_a_time.release()

    async def _hear_out(self) -> None:
        """Wait for the answer to a Basic command that its status has confirmed: it names no command, and would be
        taken for the next one's. A peer that does not answer is not waited for again until it does.
        """
        if self._target.answers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LATE_ANSWER_S):
                    while self._ask.reply is None:
                        await self._ask.news.wait()
        self._target.answers = self._ask.reply is not None
