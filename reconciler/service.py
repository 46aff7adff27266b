"""
When to make a pass, and how to stay alive between two.

Triggers (start, new commit, changed file, live drift, interval, agent back, a signal) only set a mark; marks
coalesce, and one loop makes one pass at a time. What is out of reach (Git, broker) is told once and retried
with backoff; the last good revision stays in force.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine

from reconciler.aio import background
from reconciler.app import App
from reconciler.errors import InvalidFiles, SourceError, StoreError
from reconciler.model.change import Action
from reconciler.model.report import Event, EventKind, Level, Outcome, SyncReport
from reconciler.model.spec import DEFAULT_TARGET, Key
from reconciler.model.state import Desired
from reconciler.notify import wording
from reconciler.observed import AgentNews, Fold
from reconciler.plan.planner import PlanOptions
from reconciler.protocol.canonical import spec_hash
from reconciler.protocol.codes import ErrorCode
from reconciler.reconcile import Parts, plan_of, reconcile
from reconciler.sources.base import Revision
from reconciler.sources.watch import watch_source
from reconciler.triggers import Triggers, changed_keys

TICK_S = 1.0
"""How often silence is noticed: a tenth of a heartbeat."""

HEAD_START_S = 1.0
"""How long agents may report before files are parsed: a broker drops what a busy reader leaves in its queue."""

AGAIN_S = (1.0, 60.0)
"""First and longest pause before a pass is tried again that did not end well."""

SPEC_IS_WRONG = {
    ErrorCode.INVALID_PAYLOAD,
    ErrorCode.INVALID_CONFIG,
    ErrorCode.UNKNOWN_STRATEGY_TYPE,
    ErrorCode.UNSUPPORTED_EXCHANGE,
    ErrorCode.INVALID_TRADING_PAIR,
    ErrorCode.UNSUPPORTED_OPERATION,
    ErrorCode.IMMUTABLE_FIELD,
}
"""Refusals that sending the same spec again does not change."""

log = logging.getLogger("reconciler")


class Service:
    """One session's control loop: keeps the last good revision in force and the bots equal to it."""

    def __init__(self, session: App) -> None:
        self._session = session
        self._parts: Parts = session.parts
        self._triggers = Triggers()
        self._desired: Desired | None = None
        self._rejected: dict[Key, str] = {}
        self._pause_s = 0.0
        self._unseen = False
        self._linked = True
        self._unkept = False
        self._revision: Revision | None = None
        self._telling: set[asyncio.Future[None]] = set()

    async def run(self) -> None:
        """Make passes until `parts.stop` is set; the step in flight is finished first."""
        self._parts.live.on_change(self._on_live)
        self._parts.live.on_link(self._on_link)
        await self._settle(HEAD_START_S)
        await self.look_at_source()
        if self._desired is None:
            self._desired = self._parts.store.last_good()
        await self._settle(self._patience_s())
        self._triggers.whole()
        async with background(self._poll_source(), self._watch_source(), self._watch_clock()):
            await asyncio.sleep(0)  # in this turn of the loop the watch is set up; what was committed
            await self.look_at_source()  # before that wakes nobody, and polling may be a minute away
            while await self._next_trigger():
                await self._pass(self._triggers.take())

    def _patience_s(self) -> float:
        """How long the first pass waits for a whole picture: until a Basic peer's silence means something."""
        return max(target.basic_window_s for target in self._session.settings.targets.values()) + 1.0

    async def _settle(self, timeout_s: float) -> None:
        """Wait for a picture of the bots, at most so long."""
        await self._unless_stopped(self._parts.live.settle(timeout_s))

    async def _next_trigger(self) -> bool:
        """Wait for one; False when asked to stop."""
        wait_s = self._pause_s or self._session.settings.sync.interval_s
        await self._unless_stopped(self._triggers.wait(wait_s))
        return not self._parts.stop.is_set()

    async def _unless_stopped(self, what: Coroutine[None, None, object]) -> None:
        """Wait for `what`, or until asked to stop."""
        stopped = asyncio.ensure_future(self._parts.stop.wait())
        waiting = asyncio.ensure_future(what)
        try:
            await asyncio.wait({stopped, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            waiting.cancel()

    # -- one pass

    async def _pass(self, only: frozenset[Key] | None) -> None:
        if self._desired is None or not self._parts.live.connected:
            return
        settings = self._session.settings
        options = self._session.options(rejected=self._still_rejected())
        if not settings.sync.auto:
            await self._report_only(options)
            return
        try:
            report = await reconcile(self._parts, self._desired, options, only=only)
        except StoreError as error:
            await self._try_later(error)
            return
        self._learn(report)
        self._keep_last_good()

    async def _try_later(self, error: StoreError) -> None:
        """Another process keeps the store, or its disk is full: told once, and tried again."""
        await self._parts.notifier.tell(
            [Event(EventKind.FAILED, Level.ERROR, str(error), subject=str(error))]
        )
        self._pause_s = AGAIN_S[1]

    async def _report_only(self, options: PlanOptions) -> None:
        """`sync.auto: false`: say what is out of sync, once, and touch nothing."""
        assert self._desired is not None
        plan = plan_of(self._parts, self._desired, options)
        await self._parts.notifier.standing(EventKind.PENDING, wording.pending(plan))

    def _still_rejected(self) -> dict[Key, str]:
        """What bots refused, less what a person asked to try again."""
        inventory = self._parts.store.inventory()
        asked = {key for key in self._rejected if key in inventory and inventory[key].retry}
        self._rejected = {key: hash_ for key, hash_ in self._rejected.items() if key not in asked}
        return self._rejected

    def _learn(self, report: SyncReport) -> None:
        """Remember what a bot refused for good, and try soon again what is not known."""
        for result in report.results:
            if result.outcome is Outcome.CONFIRMED:
                self._rejected.pop(result.change.key, None)
            elif result.change.desired is not None and result.steps[-1].code in SPEC_IS_WRONG:
                self._rejected[result.change.key] = spec_hash(result.change.desired)
        self._unseen = any(change.action is Action.UNKNOWN for change in report.plan.changes)
        open_ends = {Outcome.UNKNOWN, Outcome.SKIPPED}
        unsure = self._unseen or any(result.outcome in open_ends for result in report.results)
        first_s, longest_s = AGAIN_S
        self._pause_s = min(longest_s, max(first_s, self._pause_s * 2)) if unsure else 0.0

    # -- what is wanted

    async def look_at_source(self) -> None:
        """Read the newest revision; what cannot be read or is invalid leaves the last good one in force."""
        notifier = self._parts.notifier
        try:
            revision = await asyncio.to_thread(self._session.loader.load)
            desired = self._desired_of(revision)
        except SourceError as error:
            event = Event(EventKind.SOURCE_LOST, Level.ERROR, f"Git: {error}", subject="git")
            await notifier.tell([event])
            return
        except InvalidFiles as error:
            await notifier.standing(EventKind.INVALID, [wording.invalid(error.problems, revision.commit)])
            return
        self._revision = revision
        back = Event(EventKind.SOURCE_BACK, Level.INFO, "Git can be read again")
        await notifier.solved(EventKind.SOURCE_LOST, "git", back)
        await notifier.standing(EventKind.INVALID, [])
        self._take(desired)

    def _desired_of(self, revision: Revision) -> Desired:
        """What a revision wants: the same object if it is the one in force."""
        if self._desired is None or self._revision is None:
            return self._session.desired_of(revision)
        if revision is self._revision:
            return self._desired
        return self._session.amended(self._desired, self._revision, revision)

    def _take(self, desired: Desired) -> None:
        """Put a good revision in force; only the strategies that it changes need a look."""
        before, self._desired = self._desired, desired
        if before is desired:
            return
        changed = changed_keys(before, desired) if before is not None else set(desired.specs)
        surer = before is not None and before.unsure != desired.unsure
        if before is None or surer:
            self._triggers.whole()
        elif changed:
            self._triggers.some(changed)
        self._unkept = self._unkept or bool(changed) or surer

    def _keep_last_good(self) -> None:
        """Remember the revision in force for a restart without Git; after the pass, since it is large."""
        if self._unkept and self._desired is not None:
            self._parts.store.keep_last_good(self._desired)
            self._unkept = False

    async def _poll_source(self) -> None:
        while True:
            await asyncio.sleep(self._session.settings.source.interval_s * random.uniform(0.9, 1.1))  # noqa: S311  (spreads load)
            await self.look_at_source()

    async def _watch_source(self) -> None:
        async for _ in watch_source(self._session.settings.source):
            await self.look_at_source()

    # -- what is live

    def _on_live(self, target: str, fold: Fold) -> None:
        """Called for each message: note which strategies need a look."""
        if fold.changed:
            self._triggers.soon({Key(target, name) for name in fold.changed})
        if fold.picture and self._unseen:
            self._triggers.whole()
        for agent in fold.agents:
            self._tell_soon(_agent_event(target, agent))
            self._triggers.whole()

    def _on_link(self, connected: bool, reason: str) -> None:
        """The broker went away or came back; what is to be told waits until it can be delivered.

        While it is away, each refusal is reported here as well: that is no news.
        """
        if connected is self._linked:
            return
        self._linked = connected
        if connected:
            self._tell_soon(Event(EventKind.BROKER_BACK, Level.INFO, "Broker is back"))
            self._triggers.whole()
        else:
            self._tell_soon(Event(EventKind.BROKER_LOST, Level.ERROR, f"Broker lost: {reason}"))

    async def _watch_clock(self) -> None:
        """An agent that falls silent sends nothing that could wake us."""
        while True:
            await asyncio.sleep(TICK_S)
            self._parts.live.tick()
            await self._parts.live.ask_again()
            if self._parts.store.refresh():
                self._triggers.whole()

    def _tell_soon(self, event: Event) -> None:
        task = asyncio.ensure_future(self._parts.notifier.tell([event]))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def _agent_event(target: str, news: AgentNews) -> Event:
    place = "" if target == DEFAULT_TARGET else f" on {target}"
    if news.online:
        return Event(EventKind.AGENT_BACK, Level.INFO, f"Agent {news.name}{place} is back")
    text = f"Agent {news.name}{place} is lost: its strategies are unknown and left alone until it is back"
    return Event(EventKind.AGENT_LOST, Level.ERROR, text)
