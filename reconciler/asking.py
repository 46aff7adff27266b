"""What the link to the bots is made of: who asks, one question in flight, and what to subscribe to."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import msgspec

from reconciler.model.state import Observed, ObservedStrategy
from reconciler.observed import LiveState
from reconciler.protocol.messages import Command, CommandMeta, Reply
from reconciler.protocol.signing import sign
from reconciler.protocol.times import format_time
from reconciler.protocol.topics import Topics
from reconciler.settings import TargetSettings
from reconciler.transport.base import Properties

CONTENT_TYPE = "application/json"

LATE_ANSWER_S = 2.0
"""How long a Basic peer may take to answer what its status has shown already."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are on the wire: `owner` marks whose strategies these are, `epoch` fences out older controllers."""

    controller: str
    owner: str
    epoch: int
    api_key: str | None = None
    api_secret: str | None = None

    def meta(
        self, topics: Topics, request_id: str, *, idempotency_key: str, commit: str, timeout_s: float
    ) -> CommandMeta:
        """What every Extended command carries; what the step itself knows is added by `commands.build`."""
        return CommandMeta(
            v=1,
            request_id=request_id,
            reply_to=topics.reply_to(self.controller),
            idempotency_key=idempotency_key,
            commit=commit,
            owner=self.owner,
            epoch=self.epoch,
            expires_at=format_time(datetime.now(UTC) + timedelta(seconds=timeout_s)),
        )

    def properties(self, topics: Topics, request_id: str, timeout_s: float) -> Properties:
        """The same for the envelope of MQTT 5."""
        return Properties(
            response_topic=topics.reply_to(self.controller),
            correlation_data=request_id.encode(),
            expiry_s=max(1, round(timeout_s)),
            content_type=CONTENT_TYPE,
        )

    def signed(self, topic: str, command: Command) -> Command:
        """`command` with our signature, if we have a key to sign with."""
        if not self.api_key or not self.api_secret:
            return command
        return sign(topic, command, api_key=self.api_key, api_secret=self.api_secret)


class TargetLink:
    """One root of topics: its names, its picture, and the lock that a Basic peer needs."""

    def __init__(self, name: str, settings: TargetSettings) -> None:
        self.topics = Topics(settings.root)
        self.state = LiveState(
            name, self.topics, profile=settings.profile, basic_window_s=settings.basic_window_s
        )
        self.profile = settings.profile
        self.one_at_a_time = asyncio.Lock()
        self._answers = True

    async def hear_out(self, ask: Ask) -> None:
        """Wait for the answer to a Basic command that its status has confirmed: it names no command, and would be
        taken for the next one's. A peer that does not answer is not waited for again until it does.
        """
        if self._answers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LATE_ANSWER_S):
                    while ask.reply is None:
                        ask.news.clear()
                        await ask.news.wait()
        self._answers = ask.reply is not None


class Ask:
    """One command in flight: its newest answer, and `news`, set at every answer or change of status.

    `before`: what was seen of the strategy when the command was sent. `unheard`: nobody had subscribed.
    """

    def __init__(self, *, request_id: str, extended: bool, before: ObservedStrategy | None) -> None:
        self.request_id = request_id
        self.extended = extended
        self.before = before
        self.reply: Reply | None = None
        self.unheard = False
        self.news = asyncio.Event()

    def take(self, reply: Reply) -> None:
        self.reply = reply
        self.news.set()


def subscriptions(topics: Topics, *, performance: bool, logs: bool) -> list[tuple[list[str], int]]:
    """What to subscribe to. State comes at QoS 0: at QoS 1 Mosquitto's default queue limit of 1,000
    cuts a larger retained snapshot; the inventory's digest tells us if anything is missing all the same.

    No two filters meet the same topic (`response/#` is `response`, too): Mosquitto would send each message twice,
    and the second of two answers of a Basic peer would be taken for the next command's.
    """
    state = state_filters(topics)
    if performance:
        state += [topics.performance, f"{topics.performance}/+"]
    if logs:
        state += [topics.logs, f"{topics.logs}/+"]
    return [([f"{topics.response}/#"], 1), (state, 0)]


def state_filters(topics: Topics) -> list[str]:
    """Agents first: should a broker cut what follows, we still know that somebody is there to be heard."""
    return [f"{topics.root}/agent/+", f"{topics.root}/inventory/+", topics.status, f"{topics.status}/+"]


def has_holes(view: Observed) -> bool:
    return any(agent.online and not agent.complete for agent in view.agents)


def is_settled(view: Observed) -> bool:
    if not view.connected:
        return False
    gone = bool(view.agents) and not any(agent.online for agent in view.agents)
    return view.complete or view.presumed_absent or gone


async def wait_for_news(event: asyncio.Event, timeout_s: float) -> None:
    """Wait until `event` is set, at most `timeout_s`; which of the two happened does not matter."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
