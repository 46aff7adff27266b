"""
Where commands are taken in, in this order: who asks, is it still valid, is it a repetition, what follows.

Rule 1: no clock, no socket, no file: time comes in, and what follows goes into `turn` for the shell to carry
out: first written down, then answered and told, then worked on.
Rule 2: one command for one strategy at a time; who asks for the same again hears the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from reconciler.agent.decide import come_back, decide, finish, happened, overtaken
from reconciler.agent.idempotency import CachedReply, ReplyCache, key_of
from reconciler.agent.journal import Entry, Remembered
from reconciler.agent.model import ConfigChanged, Decision, StateChanged, Strategy, Work
from reconciler.agent.requests import Request, Route, UnreadableCommand, read_batch, read_request
from reconciler.agent.responses import Refusal, accepted, addressed, refused
from reconciler.agent.validation import Validator
from reconciler.errors import CommandRejected
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import CommandMeta, Reply
from reconciler.protocol.signing import Authenticator, NonceMemory, Verdict
from reconciler.protocol.times import parse_time
from reconciler.protocol.topics import BATCH, Topics
from reconciler.transport.base import Message


class Effects(msgspec.Struct):
    """What follows from the commands and events since the last turn.

    `told`: each strategy that changed, in order; a name alone: it is gone.
    """

    entry: Entry = msgspec.field(default_factory=Entry)
    replies: list[tuple[Route, Reply]] = []
    told: list[Strategy | str] = []
    works: list[Work] = []


class _Asking(msgspec.Struct):
    """Who asked for something under one idempotency key, and waits for the answer."""

    op: Op
    key: str
    routes: list[Route]


class CommandProcessor:
    """All strategies of one agent and what was asked of them."""

    def __init__(
        self,
        topics: Topics,
        rules: Validator,
        remembered: Remembered,
        *,
        api_keys: Mapping[str, str],
        new_id: Callable[[], str],
    ) -> None:
        self.strategies: dict[str, Strategy] = {s.name: s for s in remembered.strategies}
        self.epoch = remembered.epoch
        self.turn = Effects()
        self._topics = topics
        self._rules = rules
        self._new_id = new_id
        self._signed = bool(api_keys)
        self._authenticator = Authenticator(api_keys, NonceMemory(remembered.nonces))
        self._answers = ReplyCache()
        for key, answer in remembered.answers:
            self._answers.keep(key, answer)
        self._asking: dict[str, _Asking] = {}

    def next_turn(self) -> Effects:
        """Hand over what has gathered and begin anew."""
        turn, self.turn = self.turn, Effects()
        return turn

    # Commands.

    def take(self, level: str, message: Message, now: datetime) -> None:
        """Take in what came on `{root}/strategy/{level}`: one command, or several in one message."""
        if level != BATCH:
            self._take(level, message, now)
            return
        try:
            for each, alone in read_batch(self._topics, message):
                self._take(each, alone, now)
        except UnreadableCommand as error:
            self._reply(error.route, refused(None, "", error.refusal))

    def _take(self, level: str, message: Message, now: datetime) -> None:
        try:
            request = read_request(self._topics, level, message)
        except UnreadableCommand as error:
            self._reply(error.route, refused(error.op, "", error.refusal))
            return
        try:
            if self._admits(request, message, now):
                self._decide(request, now)
        except Refusal as refusal:
            self._reply(request.route, refused(request.op, request.command.strategy_name, refusal))

    def _admits(self, request: Request, message: Message, now: datetime) -> bool:
        """Whether `request` is to be carried out; if not, it has its answer or needs none.

        Raises:
            Refusal: its sender may not ask this, or not any more.
        """
        meta = request.command.meta
        verdict = self._authenticator.judge(message.topic, message.payload, meta, now)
        if verdict is Verdict.UNAUTHORIZED:
            raise Refusal(ErrorCode.UNAUTHORIZED, "it needs a valid signature of a key that is known here")
        if verdict is Verdict.EXPIRED:
            raise Refusal(ErrorCode.EXPIRED, "it arrived too late; look again", field="meta.expires_at")
        if meta is not None:
            self._remember_nonce(meta)
            self._fence(meta.epoch)
        repeated = self._repeats(request, now)
        return not repeated and verdict is not Verdict.REPLAYED

    def _remember_nonce(self, meta: CommandMeta) -> None:
        if self._signed and meta.expires_at:
            self.turn.entry.nonces[meta.request_id] = parse_time(meta.expires_at)

    def _fence(self, epoch: int) -> None:
        if not epoch:
            return  # its sender does not take part in fencing, like a Basic one
        if epoch < self.epoch:
            raise Refusal(
                ErrorCode.STALE_EPOCH,
                f"epoch {epoch} is older than {self.epoch}",
                field="meta.epoch",
                details={"epoch": self.epoch},
            )
        if epoch > self.epoch:
            self.epoch = self.turn.entry.epoch = epoch

    def _repeats(self, request: Request, now: datetime) -> bool:
        """Whether this very command was done or is under way; then its sender is or will be answered."""
        key = key_of(request.command.meta)
        if not key:
            return False
        name = request.command.strategy_name
        answer = self._answers.find(key, request.op, name, now.timestamp())
        if answer is not None:
            self._reply(request.route, answer, replayed=True)
            return True
        asking = self._asking.get(name)
        if asking is None or (asking.key, asking.op) != (key, request.op):
            return False
        asking.routes.append(request.route)
        return True

    def _decide(self, request: Request, now: datetime) -> None:
        name = request.command.strategy_name
        decision = decide(request.op, request.command, self.strategies.get(name), self._rules, self._new_id)
        asking = _Asking(request.op, key_of(request.command.meta), [request.route])
        if decision.work is not None:
            self._overtake(name)
            self._asking[name] = asking
        self._settle(name, decision)
        if decision.reply is not None:
            self._answer(asking, name, decision.reply, now)

    def _overtake(self, name: str) -> None:
        """Answer those whose work is overtaken by new work."""
        asking = self._asking.pop(name, None)
        if asking is not None:
            reply = overtaken(asking.op, self.strategies[name])
            for route in asking.routes:
                self._reply(route, reply)

    def _settle(self, name: str, decision: Decision) -> None:
        """Take over what was decided about a strategy, and what a runner has to do."""
        if decision.gone:
            del self.strategies[name]
            self.turn.entry.strategies[name] = None
            self.turn.told.append(name)
        elif decision.strategy is not None:
            self.strategies[name] = self.turn.entry.strategies[name] = decision.strategy
            self.turn.told.append(decision.strategy)
        if decision.work is not None:
            self.turn.works.append(decision.work)

    def _answer(self, asking: _Asking, name: str, reply: Reply, now: datetime) -> None:
        if asking.key and reply.ok:
            answer = CachedReply(asking.op, name, reply, now.timestamp())
            self._answers.keep(asking.key, answer)
            self.turn.entry.answers[asking.key] = answer
        for number, route in enumerate(asking.routes):
            self._reply(route, reply, replayed=number > 0)

    def _reply(self, route: Route, reply: Reply, *, replayed: bool = False) -> None:
        self.turn.replies.append((route, addressed(reply, route.meta, replayed=replayed)))

    # What runners and bots say.

    def finish(self, work: Work, error: CommandRejected | None, now: datetime) -> None:
        """Conclude `work`, of which `error` says why it failed; work that was overtaken concludes nothing."""
        held = self.strategies.get(work.name)
        if held is None or held.doing is not work.op:
            return
        decision = finish(work, held, error)
        asking = self._asking.pop(work.name, None)
        self._settle(work.name, decision)
        if asking is not None and decision.reply is not None:
            self._answer(asking, work.name, decision.reply, now)

    def takes_long(self, work: Work) -> None:
        """Tell Extended senders that `work` was accepted; a Basic one would take that for its end."""
        asking = self._asking.get(work.name)
        if asking is None or asking.op is not work.op:
            return
        for route in asking.routes:
            if route.meta is not None:
                self._reply(route, accepted(work.op, work.name))

    def happened(self, event: StateChanged | ConfigChanged) -> None:
        """Take in what a bot did by itself."""
        self._settle(event.name, happened(event, self.strategies.get(event.name)))

    def come_back(self, found: Mapping[str, Lifecycle]) -> None:
        """Take up what an earlier life left. `found`: bots that still run."""
        for name, held in sorted(self.strategies.items()):
            self._settle(name, come_back(held, found.get(name)))

    def forget_old(self, now: datetime) -> None:
        """Drop answers that nobody may ask for any more."""
        self.turn.entry.forgotten.extend(self._answers.forget_old(now.timestamp()))
