"""
Commands in flight: who sends them, and which response belongs to which.

Rule 1: nothing here waits for one strategy: a command is queued for sending, and its `PendingCommand` reports progress.
Rule 2: to a Basic peer one command is in flight per root; a late response would be taken for the next command's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from reconciler.errors import BrokerError, StoreError
from reconciler.fleet.base import CommandContext, PendingCommand
from reconciler.fleet.batching import Batcher, OutgoingCommand
from reconciler.fleet.target import Target
from reconciler.model.change import Step
from reconciler.model.spec import Key
from reconciler.protocol.batches import unpack_responses
from reconciler.protocol.commands import build
from reconciler.protocol.correlation import Identifiers, ResponseMatcher
from reconciler.protocol.messages import CommandMeta, MalformedMessage, Reply, encode
from reconciler.protocol.reports import decode_reply
from reconciler.protocol.signing import sign
from reconciler.protocol.times import format_second
from reconciler.protocol.topics import BATCH
from reconciler.transport.base import Message, PublishResult, Transport

LATE_RESPONSE_S = 2.0
"""How long a Basic peer may take to answer what its status has shown already."""

LOOK_EVERY_S = 0.25
"""How often a pending command is judged without news: ageing and the Basic window pass without a message."""


class ControllerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are on the wire: `owner` marks whose strategies these are, `epoch` fences out older controllers."""

    controller: str
    owner: str
    epoch: int
    api_key: str | None = None
    api_secret: str | None = None


class CommandTracker:
    """Sends commands over one transport and follows each until its end."""

    def __init__(self, transport: Transport, identity: ControllerIdentity) -> None:
        self.identity = identity
        self.record: Callable[[], None] = lambda: None
        """Writes down what was decided, before any command leaves; raises StoreError."""
        self._transport = transport
        self._batchers: dict[str, Batcher] = {}
        self._matcher = ResponseMatcher()
        self._pending: dict[str, PendingCommand] = {}
        self._by_key: dict[Key, list[PendingCommand]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ids = Identifiers(secrets.token_hex(12))

    @contextlib.asynccontextmanager
    async def send(
        self, target: Target, key: Key, step: Step, context: CommandContext
    ) -> AsyncIterator[PendingCommand]:
        """Send the command that carries out `step`, and follow it while the block runs.

        Raises:
            CommandRejected: this peer has no such command.
        """
        if target.extended:
            pending = self._begin(target, key, step, context, extended=True)
            try:
                yield pending
            finally:
                self._end(pending)
            return
        async with target.one_at_a_time:
            pending = self._begin(target, key, step, context, extended=False)
            try:
                yield pending
                await _await_late_response(target, pending)
            finally:
                self._end(pending)

    def _begin(
        self, target: Target, key: Key, step: Step, context: CommandContext, *, extended: bool
    ) -> PendingCommand:
        before = target.state.believed(key.name)
        pending = PendingCommand(key, self._ids.new(), extended=extended, before=before)
        self._queue(target, pending, step, context)
        self._matcher.register(
            pending.request_id, step.op, key.name, basic=not extended, response=target.topics.response
        )
        self._pending[pending.request_id] = pending
        self._by_key.setdefault(key, []).append(pending)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
        return pending

    def _queue(self, target: Target, pending: PendingCommand, step: Step, context: CommandContext) -> None:
        identity, meta = self.identity, None
        if pending.extended:
            meta = CommandMeta(
                v=1,
                request_id=pending.request_id,
                reply_to=target.topics.reply_to(identity.controller),
                idempotency_key=context.idempotency_key,
                commit=context.commit,
                owner=identity.owner,
                epoch=identity.epoch,
                expires_at=format_second(int(time.time() + context.timeout_s)),
            )
        _, command = build(step, pending.key.name, meta)
        if meta is not None and identity.api_key and identity.api_secret:
            topic = target.topics.command(step.op)
            command = sign(topic, command, api_key=identity.api_key, api_secret=identity.api_secret)

        def on_done(outcome: PublishResult | BrokerError | StoreError) -> None:
            if isinstance(outcome, PublishResult):
                pending.unheard = outcome.no_subscribers
            else:
                pending.lost = outcome
                pending.news.set()

        request_id = pending.request_id if pending.extended else ""
        self._batcher(target).put(
            OutgoingCommand(step.op, encode(command), request_id, context.timeout_s, on_done)
        )

    def _batcher(self, target: Target) -> Batcher:
        if target.name not in self._batchers:
            self._batchers[target.name] = Batcher(
                self._transport,
                target.topics,
                self.identity.controller,
                may_batch=lambda: target.batches,
                record=lambda: self.record(),  # noqa: PLW0108  (named later)
            )
        return self._batchers[target.name]

    def _end(self, pending: PendingCommand) -> None:
        """Expect nothing any more; a response that comes late is not matched."""
        self._matcher.forget(pending.request_id)
        del self._pending[pending.request_id]
        others = self._by_key[pending.key]
        others.remove(pending)
        if not others:
            del self._by_key[pending.key]

    def close(self) -> None:
        """Stop waking pending commands."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = (
            asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look) if self._pending else None
        )
        for pending in self._pending.values():
            pending.news.set()

    def on_reply(self, message: Message) -> None:
        """Hand a response, or several in one message, to the commands that they answer."""
        topic, _, level = message.topic.rpartition("/")
        correlation = message.properties.correlation_data if message.properties else None
        try:
            if level == BATCH:
                for response in unpack_responses(message.payload):
                    self._match(decode_reply(response), None, topic)
            else:
                self._match(decode_reply(message.payload), correlation, message.topic)
        except MalformedMessage:
            return  # a response that cannot be read is none: the step's status decides

    def _match(self, reply: Reply, correlation: bytes | None, topic: str) -> None:
        request_id = self._matcher.match(reply, correlation, topic)
        if request_id is not None and request_id in self._pending:
            pending = self._pending[request_id]
            pending.reply = reply
            pending.news.set()

    def on_status(self, key: Key) -> None:
        """Wake the commands to `key`: there is news of it."""
        for pending in self._by_key.get(key, ()):
            pending.news.set()


async def _await_late_response(target: Target, pending: PendingCommand) -> None:
    """Wait for the response to a Basic command that its status has confirmed: it names no command, and would be taken
    for the next one's. A peer that does not answer is not waited for again until it does.
    """
    if target.answers:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATE_RESPONSE_S):
                while pending.reply is None:
                    await pending.next_news()
    target.answers = pending.reply is not None
