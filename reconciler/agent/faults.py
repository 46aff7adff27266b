"""
Faults on request, as decorators of an agent's parts: for trying out what a controller does about them, and for tests.

Only the simulated runner gets them. Without a fault set each decorator keeps every promise of what it decorates.
All chances are drawn from the generator that is passed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import msgspec

from reconciler.agent.model import Strategy
from reconciler.agent.responses import Refusal
from reconciler.agent.runner import EventListener, Runner
from reconciler.agent.validation import Validator
from reconciler.errors import BrokerError, CommandRejected, SettingsError
from reconciler.model.spec import IDENTITY_FIELDS, Config
from reconciler.model.state import Lifecycle
from reconciler.protocol.batches import pack_responses, unpack_responses
from reconciler.protocol.canonical import hash_of, wire_json
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Performance, decode_object
from reconciler.protocol.topics import BATCH, TopicKind, Topics
from reconciler.transport.base import (
    OnConnection,
    OnDone,
    OnMessage,
    Publish,
    PublishResult,
    Transport,
)

_OVERTAKEN_S = 0.1
"""A reordered reply waits up to this long while later ones overtake it."""

_DISTURBED_EVERY_S = 1.0
"""How often a bot may crash or drift: chances are given for a second."""


class Faults(msgspec.Struct, kw_only=True):
    """What goes wrong; may be changed while the agent runs.

    Chances, 0 to 1: `lose`, `double` and `reorder` a reply; `silent`: hold a status back until the next
    heartbeat. `delay_s`: longest delay of a reply. `drift`, `crash`: chance that a running strategy is
    changed by hand, or crashes, in a second. Fields of config: `refuse` those with an error, `ignore` those
    with a success.
    """

    lose: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    silent: float = 0.0
    delay_s: float = 0.0
    drift: float = 0.0
    crash: float = 0.0
    refuse: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()


_FIELDS = ("refuse", "ignore")
_LENGTHS = ("delay_s",)


def parse_faults(given: Mapping[str, str]) -> Faults:
    """Read faults as a command line has them: `{"lose": "0.2", "delay_s": "1.5", "refuse": "bid_spread,leverage"}`.

    Raises:
        SettingsError: there is no such fault, or its value is not what it takes.
    """
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in Faults.__struct_fields__:
            known = ", ".join(sorted(Faults.__struct_fields__))
            raise SettingsError(f"there is no fault {name!r}", fix=f"one of {known}")
        if name in _FIELDS:
            values[name] = frozenset(filter(None, (field.strip() for field in text.split(","))))
            continue
        highest, takes = 1.0, "a chance from 0 to 1"
        if name in _LENGTHS:
            highest, takes = sys.float_info.max, "a number of seconds"
        try:
            values[name] = float(text)
        except ValueError:
            values[name] = -1.0
        if not 0.0 <= values[name] <= highest:
            raise SettingsError(f"fault {name}: {text!r} is not {takes}", fix=f"for example {name}=0.2")
    return Faults(**values)


class FaultyValidator(Validator, frozen=True, kw_only=True):
    """A validator that also refuses every config with a field of `faults.refuse`."""

    faults: Faults

    def check_config(self, strategy: Strategy) -> None:
        for field in sorted(self.faults.refuse & strategy.config.keys()):
            raise Refusal(ErrorCode.INVALID_CONFIG, "refused on request (fault)", field=field)
        Validator.check_config(self, strategy)


class FaultyTransport:
    """Loses, doubles, delays and reorders an agent's replies; holds back its statuses, or alters what they report.

    A status that is held back leaves no gap in the session's numbers, and its sender is informed that it was not
    delivered. Only posts are affected: an agent publishes nothing else.
    """

    def __init__(self, transport: Transport, topics: Topics, faults: Faults, rng: random.Random) -> None:
        self._transport = transport
        self._topics = topics
        self._faults = faults
        self._rng = rng
        self._reported: dict[str, bytes] = {}
        self._held_back: set[str] = set()
        self._due: set[str] = set()
        self._dropped: bytes | None = None
        self._left_out = 0

    @property
    def connected(self) -> bool:
        return self._transport.connected

    async def connect(self) -> None:
        await self._transport.connect()

    async def close(self) -> None:
        await self._transport.close()

    async def publish(self, message: Publish, *, timeout_s: float = 10.0) -> PublishResult:
        return await self._transport.publish(message, timeout_s=timeout_s)

    async def subscribe(self, filters: Sequence[str], *, qos: int = 1, timeout_s: float = 10.0) -> None:
        await self._transport.subscribe(filters, qos=qos, timeout_s=timeout_s)

    def on_message(self, callback: OnMessage) -> None:
        self._transport.on_message(callback)

    def on_connection(self, callback: OnConnection) -> None:
        self._transport.on_connection(callback)

    def post(self, message: Publish, *, timeout_s: float = 10.0, on_done: OnDone | None = None) -> None:
        post = partial(self._transport.post, timeout_s=timeout_s)
        address, faults = self._topics.read(message.topic), self._faults
        match address.kind if address is not None else None:
            case TopicKind.RESPONSE if faults.lose or faults.double or faults.reorder or faults.delay_s:
                self._post_replies(message, post, on_done)
            case TopicKind.STATUS:
                assert address is not None, "it has a kind"
                self._post_status(address.name, message, post, on_done)
            case TopicKind.PRESENCE | TopicKind.INVENTORY as kind:
                if kind is TopicKind.PRESENCE:
                    self._due |= self._held_back
                post(self._altered(message), on_done=on_done)
            case _:
                post(message, on_done=on_done)

    def _post_replies(self, message: Publish, post: Callable[..., None], on_done: OnDone | None) -> None:
        """Draw for each reply, alone or in a batch, when it goes out: not at all, once or twice."""
        batch = message.topic.endswith(f"/{BATCH}")
        faults, chance = self._faults, self._rng.random
        prompt: list[bytes] = []

        def post_late(reply: Publish) -> None:
            with contextlib.suppress(BrokerError):  # disconnected meanwhile: a reply is not retried
                post(reply)

        for reply in unpack_responses(message.payload) if batch else [message.payload]:
            if chance() < faults.lose:
                continue
            copies = 2 if chance() < faults.double else 1
            late_s = _OVERTAKEN_S * chance() if chance() < faults.reorder else 0.0
            for delay_s in [late_s + faults.delay_s * chance() for _ in range(copies)]:
                if delay_s:
                    topic = message.topic.removesuffix(f"/{BATCH}")
                    alone = msgspec.structs.replace(message, topic=topic, payload=reply)
                    asyncio.get_running_loop().call_later(delay_s, post_late, alone)
                else:
                    prompt.append(reply)
        if not prompt and on_done is not None:
            on_done(PublishResult())
        for number, payload in enumerate([pack_responses(prompt)] if batch and prompt else prompt):
            post(msgspec.structs.replace(message, payload=payload), on_done=None if number else on_done)

    def _post_status(
        self, name: str, message: Publish, post: Callable[..., None], on_done: OnDone | None
    ) -> None:
        """Post a status or hold it back; its copy for Basic peers (no `name`) is treated as the status was."""
        payload = message.payload
        silent = name and payload and name not in self._due and self._rng.random() < self._faults.silent
        if silent:
            self._held_back.add(name)
            self._dropped = payload
            self._left_out += 1
        if silent or payload is self._dropped:
            if on_done is not None:
                on_done(BrokerError("held back on request (fault)"))
            return
        altered = self._altered(message) if payload else message
        if name:
            self._held_back.discard(name)
            self._due.discard(name)
            self._reported[name] = altered.payload
        post(altered, on_done=on_done)

    def _altered(self, message: Publish) -> Publish:
        """Number a message as if what is held back had never been, and report ignored fields as they were."""
        ignored = self._faults.ignore
        if not self._left_out and not ignored:
            return message
        body = decode_object(message.payload)
        body["seq"] -= self._left_out
        if "config" in body and ignored:
            reported = self._reported.get(body["strategy_name"])
            before = decode_object(reported)["config"] if reported else {}
            kept = {field: before[field] for field in ignored & before.keys()}
            taken = {field: value for field, value in body["config"].items() if field not in ignored}
            body["config"] = {**taken, **kept}
            body["spec_hash"] = hash_of(
                name=body["strategy_name"],
                config=body["config"],
                **{field: body[field] for field in (*IDENTITY_FIELDS, "account")},
            )
        return msgspec.structs.replace(message, payload=wire_json(body))


class FallibleRunner(Runner, Protocol):
    """A runner whose bots can be made to fail. Each method raises CommandRejected for a bot that is not up."""

    def strategy(self, name: str) -> Strategy: ...
    def crash(self, name: str) -> None: ...
    def stop_by_hand(self, name: str) -> None: ...
    def configure_by_hand(self, name: str, config: Config) -> None: ...


class FaultyRunner:
    """Crashes bots that run, and changes them as if by hand, unless a command for them is under way."""

    def __init__(self, runner: FallibleRunner, faults: Faults, rng: random.Random) -> None:
        self._runner = runner
        self._faults = faults
        self._rng = rng
        self._commanded: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def open(self, listener: EventListener) -> None:
        await self._runner.open(listener)
        self._task = asyncio.create_task(self._disturb_always())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._runner.close()

    async def find(self) -> Mapping[str, Lifecycle]:
        return await self._runner.find()

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        with self._spared(strategy.name):
            await self._runner.start(strategy, paused=paused)

    async def stop(self, name: str) -> None:
        with self._spared(name):
            await self._runner.stop(name)

    async def pause(self, name: str) -> None:
        with self._spared(name):
            await self._runner.pause(name)

    async def resume(self, name: str) -> None:
        with self._spared(name):
            await self._runner.resume(name)

    async def apply(self, strategy: Strategy) -> None:
        with self._spared(strategy.name):
            await self._runner.apply(strategy)

    async def delete(self, name: str) -> None:
        with self._spared(name):
            await self._runner.delete(name)

    def performance(self, name: str) -> Performance | None:
        return self._runner.performance(name)

    @contextlib.contextmanager
    def _spared(self, name: str) -> Iterator[None]:
        self._commanded.add(name)
        try:
            yield
        finally:
            self._commanded.discard(name)

    async def _disturb_always(self) -> None:
        while True:
            await asyncio.sleep(_DISTURBED_EVERY_S)
            if self._faults.crash or self._faults.drift:
                await self.disturb()

    async def disturb(self) -> None:
        """Draw for each bot whether it crashes or drifts now: one second's worth."""
        for name, state in (await self._runner.find()).items():
            if state is not Lifecycle.RUNNING or name in self._commanded:
                continue
            with contextlib.suppress(CommandRejected):  # it went down meanwhile
                if self._rng.random() < self._faults.crash:
                    self._runner.crash(name)
                elif self._rng.random() < self._faults.drift:
                    self._drift(self._runner.strategy(name))

    def _drift(self, strategy: Strategy) -> None:
        """Stop a bot as if by hand, or change one of its numbers a little."""
        numbers = {
            field: value
            for field, value in sorted(strategy.config.items())
            if isinstance(value, int | Decimal) and not isinstance(value, bool)
        }
        if not numbers or self._rng.random() < 0.5:  # noqa: PLR2004  (one or the other)
            self._runner.stop_by_hand(strategy.name)
            return
        field = self._rng.choice(list(numbers))
        value = numbers[field]
        other = value + 1 if isinstance(value, int) else value * Decimal("1.1") or Decimal("0.01")
        self._runner.configure_by_hand(strategy.name, {**strategy.config, field: other})
