"""
Processes commands, in this order: who sends it, is it still valid, is it a repetition, what follows.

Rule 1: no clock, socket or file: time comes in as an argument, and what follows is collected as `Effects`, which the
agent carries out: first written down, then published, then handed to the runner.
Rule 2: one command for one strategy at a time; a sender that repeats it meanwhile gets the same reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from reconciler.agent.decide import apply_event, decide, finish, recover, superseded
from reconciler.agent.idempotency import ReplyCache, key_of
from reconciler.agent.model import (
    CachedReply,
    ConfigChanged,
    Decision,
    Entry,
    SavedState,
    StateChanged,
    Strategy,
    Work,
)
from reconciler.agent.requests import Request, Route, UnreadableCommand, read_batch, read_request
from reconciler.agent.responses import Refusal, accepted, addressed, refused
from reconciler.agent.validation import Validator
from reconciler.errors import CommandRejected
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Reply
from reconciler.protocol.signing import Authenticator, Authenticity, NonceMemory
from reconciler.protocol.times import parse_time
from reconciler.protocol.topics import BATCH, Topics
from reconciler.transport.base import Message


class Effects(msgspec.Struct):
    """What follows from the commands and events of one turn of the loop.

    `changed`: each strategy that changed, in order; a name alone: it is deleted. `works`: for the runner.
    """

    entry: Entry = msgspec.field(default_factory=Entry)
    replies: list[tuple[Route, Reply]] = []
    changed: list[Strategy | str] = []
    works: list[Work] = []


class _Pending(msgspec.Struct):
    """A command that a runner carries out, and where its reply goes: to every sender of its idempotency key."""

    op: Op
    key: str
    routes: list[Route]


class CommandProcessor:
    """All strategies of one agent, and the commands for them. `new_id` makes the id of a strategy."""

    def __init__(
        self,
        topics: Topics,
        validator: Validator,
        saved: SavedState,
        *,
        api_keys: Mapping[str, str],
        new_id: Callable[[], str],
    ) -> None:
        self.strategies: dict[str, Strategy] = {s.name: s for s in saved.strategies}
        self.epoch = saved.epoch
        self._effects = Effects()
        self._topics = topics
        self._validator = validator
        self._new_id = new_id
        self._signed = bool(api_keys)
        self._authenticator = Authenticator(api_keys, NonceMemory(saved.nonces))
        self._cache = ReplyCache()
        for key, reply in saved.answers:
            self._cache.keep(key, reply)
        self._pending: dict[str, _Pending] = {}

    def take_effects(self) -> Effects:
        """Return what follows from everything since the last call."""
        effects, self._effects = self._effects, Effects()
        return effects

    # Commands.

    def process(self, level: str, message: Message, now: datetime) -> None:
        """Process a message on `{root}/strategy/{level}`: one command, or a batch."""
        if level != BATCH:
            self._process(level, message, now)
            return
        try:
            for each, alone in read_batch(self._topics, message):
                self._process(each, alone, now)
        except UnreadableCommand as error:
            self._reply(error.route, refused(None, "", error.refusal))

    def _process(self, level: str, message: Message, now: datetime) -> None:
        try:
            request = read_request(self._topics, level, message)
        except UnreadableCommand as error:
            self._reply(error.route, refused(error.op, "", error.refusal))
            return
        name = request.command.strategy_name
        try:
            if not self._admits(request, message, now):
                return
        except Refusal as refusal:
            self._reply(request.route, refused(request.op, name, refusal))
            return
        decision = decide(
            request.op, request.command, self.strategies.get(name), self._validator, self._new_id
        )
        pending = _Pending(request.op, key_of(request.command.meta), [request.route])
        if decision.work is not None:
            before = self._pending.pop(name, None)
            if before is not None:
                for route in before.routes:
                    self._reply(route, superseded(before.op, self.strategies[name]))
            self._pending[name] = pending
        self._settle(name, decision)
        if decision.reply is not None:
            self._answer(pending, name, decision.reply, now)

    def _admits(self, request: Request, message: Message, now: datetime) -> bool:
        """Whether `request` is to be carried out; if not, it has its reply or needs none.

        Raises:
            Refusal: its sender may not send this command, or not any more.
        """
        meta = request.command.meta
        verdict = self._authenticator.judge(message.topic, message.payload, meta, now)
        if verdict is Authenticity.UNAUTHORIZED:
            raise Refusal(ErrorCode.UNAUTHORIZED, "it needs a valid signature of a key that is known here")
        if verdict is Authenticity.EXPIRED:
            raise Refusal(ErrorCode.EXPIRED, "it arrived too late; look again", field="meta.expires_at")
        if meta is not None:
            if self._signed and meta.expires_at:
                self._effects.entry.nonces[meta.request_id] = parse_time(meta.expires_at)
            self._fence(meta.epoch)
        repeated = self._repeats(request, now)
        return not repeated and verdict is not Authenticity.REPLAYED

    def _fence(self, epoch: int) -> None:
        """Refuse a controller that a newer one has replaced. 0: the sender takes no part in fencing."""
        if not epoch:
            return
        if epoch < self.epoch:
            raise Refusal(
                ErrorCode.STALE_EPOCH,
                f"epoch {epoch} is older than {self.epoch}",
                field="meta.epoch",
                details={"epoch": self.epoch},
            )
        if epoch > self.epoch:
            self.epoch = self._effects.entry.epoch = epoch

    def _repeats(self, request: Request, now: datetime) -> bool:
        """Whether this very command was done or is under way; then its sender has its reply, or will get it."""
        key, name = key_of(request.command.meta), request.command.strategy_name
        if not key:
            return False
        reply = self._cache.find(key, request.op, name, now.timestamp())
        if reply is not None:
            self._reply(request.route, reply, replayed=True)
            return True
        pending = self._pending.get(name)
        if pending is None or (pending.key, pending.op) != (key, request.op):
            return False
        pending.routes.append(request.route)
        return True

    def _settle(self, name: str, decision: Decision) -> None:
        """Record what was decided about a strategy, and what a runner has to do."""
        if decision.gone:
            del self.strategies[name]
            self._effects.entry.strategies[name] = None
            self._effects.changed.append(name)
        elif decision.strategy is not None:
            self.strategies[name] = self._effects.entry.strategies[name] = decision.strategy
            self._effects.changed.append(decision.strategy)
        if decision.work is not None:
            self._effects.works.append(decision.work)

    def _answer(self, pending: _Pending, name: str, reply: Reply, now: datetime) -> None:
        if pending.key and reply.ok:
            success = CachedReply(pending.op, name, reply, now.timestamp())
            self._cache.keep(pending.key, success)
            self._effects.entry.answers[pending.key] = success
        for number, route in enumerate(pending.routes):
            self._reply(route, reply, replayed=number > 0)

    def _reply(self, route: Route, reply: Reply, *, replayed: bool = False) -> None:
        self._effects.replies.append((route, addressed(reply, route.meta, replayed=replayed)))

    # Runners and bots.

    def finish(self, work: Work, error: CommandRejected | None, now: datetime) -> None:
        """Conclude `work`; `error` says why it failed. Work that was superseded concludes nothing."""
        held = self.strategies.get(work.name)
        if held is None or held.doing is not work.op:
            return
        decision = finish(work, held, error)
        pending = self._pending.pop(work.name, None)
        self._settle(work.name, decision)
        if pending is not None and decision.reply is not None:
            self._answer(pending, work.name, decision.reply, now)

    def report_accepted(self, work: Work) -> None:
        """Reply to Extended senders that `work` takes long; a Basic one would take that for the result."""
        pending = self._pending.get(work.name)
        if pending is None or pending.op is not work.op:
            return
        for route in pending.routes:
            if route.meta is not None:
                self._reply(route, accepted(work.op, work.name))

    def apply_event(self, event: StateChanged | ConfigChanged) -> None:
        """Record what a bot did without a command."""
        self._settle(event.name, apply_event(event, self.strategies.get(event.name)))

    def recover(self, found: Mapping[str, Lifecycle]) -> None:
        """Restore what an earlier process ran. `found`: bots that still run."""
        for name, held in sorted(self.strategies.items()):
            self._settle(name, recover(held, found.get(name)))

    def expire_replies(self, now: datetime) -> None:
        """Drop replies that no repetition may ask for any more."""
        self._effects.entry.forgotten.extend(self._cache.expire(now.timestamp()))
