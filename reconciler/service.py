"""
When to make a pass, and how to stay alive between two.

Rule 1: triggers (start, new commit, changed file, drift, interval, agent back, a signal) only set a mark; marks
coalesce, and one loop makes one pass at a time.
Rule 2: what is out of reach (Git, broker) is reported once and retried; the last good revision stays in force.
Rule 3: a pass that did not end well is requeued with backoff.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine

import msgspec

from reconciler.aio import background, first_of, wait_for_event
from reconciler.desired import amended, changed_keys, desired_of
from reconciler.errors import InvalidFiles, SourceError, StoreError
from reconciler.fleet.base import Fleet
from reconciler.model.change import Action
from reconciler.model.report import Event, EventKind, Level, Outcome, SyncReport
from reconciler.model.spec import DEFAULT_TARGET, Key
from reconciler.model.state import Desired, PictureUpdate
from reconciler.notify.events import invalid_event, pending_events
from reconciler.notify.notifier import Notifier
from reconciler.protocol.canonical import spec_hash
from reconciler.protocol.codes import SPEC_IS_WRONG
from reconciler.reconcile import Reconciler
from reconciler.settings.model import Settings
from reconciler.sources.base import Revision
from reconciler.sources.loader import Loader
from reconciler.sources.watch import watch_source
from reconciler.store.base import Store

TICK_S = 1.0
"""How often silence is noticed: a tenth of a heartbeat."""

HEAD_START_S = 1.0
"""How long agents may report before files are parsed: a broker drops what a busy reader leaves in its queue."""

RETRY_S = (1.0, 60.0)
"""First and longest pause before a pass is tried again that did not end well."""

DEBOUNCE_S = 0.05
"""News of the bots within this time make one pass: an agent reports a change in two or three messages."""

log = logging.getLogger("reconciler")


class Triggers:
    """Marks of what calls for a pass; any number of them before it starts make one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._keys: set[Key] = set()
        self._whole = False
        self._timer: asyncio.TimerHandle | None = None

    def whole(self) -> None:
        """Everything needs a look."""
        self._whole = True
        self._event.set()

    def some(self, keys: set[Key]) -> None:
        """These strategies need a look."""
        self._keys |= keys
        self._event.set()

    def soon(self, keys: set[Key]) -> None:
        """As `some`, after a moment in which more may come."""

        def fire() -> None:
            self._timer = None
            self._event.set()

        self._keys |= keys
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DEBOUNCE_S, fire)

    async def wait(self, timeout_s: float) -> None:
        """Return once there is a mark; when time runs out, everything needs a look."""
        await wait_for_event(self._event, timeout_s)
        if not self._event.is_set():
            self._whole = True

    def take(self) -> frozenset[Key] | None:
        """The strategies to look at, None for all; clears the marks."""
        keys = None if self._whole else frozenset(self._keys)
        self._whole = False
        self._keys = set()
        self._event.clear()
        return keys


class Requeue(msgspec.Struct, frozen=True):
    """When the next pass comes without a trigger. `after_s`: 0 leaves it to `sync.interval`.

    `unseen`: strategies were unknown in the last pass, so that any news of the picture calls for another.
    """

    after_s: float = 0.0
    unseen: bool = False

    def following(self, report: SyncReport) -> Requeue:
        """After a pass: soon, and later each time, as long as something is unknown or was skipped."""
        unseen = any(change.action is Action.UNKNOWN for change in report.plan.changes)
        open_ends = {Outcome.UNKNOWN, Outcome.SKIPPED}
        if not (unseen or any(result.outcome in open_ends for result in report.results)):
            return Requeue()
        first_s, longest_s = RETRY_S
        return Requeue(min(longest_s, max(first_s, self.after_s * 2)), unseen)


class DesiredState:
    """What is in force: the last good revision. What is invalid or cannot be read changes nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.desired: Desired | None = None
        self._store = store
        self._settings = settings
        self._revision: Revision | None = None
        self._unkept = False

    def recover(self) -> None:
        """With no revision in force yet, take the one that was kept before the last end of the process."""
        if self.desired is None:
            self.desired = self._store.last_good()

    def advance(self, revision: Revision) -> frozenset[Key] | None:
        """Put `revision` in force; the strategies that it wants differently, None if all need a look.

        Raises:
            InvalidFiles: it is wrong; what was in force stays.
        """
        before, desired = self.desired, self._made_of(revision)
        self.desired, self._revision = desired, revision
        if before is desired:
            return frozenset()
        changed = changed_keys(before, desired) if before is not None else set(desired.specs)
        surer = before is not None and before.unsure != desired.unsure
        self._unkept = self._unkept or bool(changed) or surer
        return None if before is None or surer else frozenset(changed)

    def _made_of(self, revision: Revision) -> Desired:
        """What a revision wants: the same object if it is the one in force."""
        if self.desired is None or self._revision is None:
            return desired_of(revision, self._settings)
        if revision is self._revision:
            return self.desired
        return amended(self.desired, self._revision, revision, self._settings)

    def keep(self) -> None:
        """Remember the revision in force for a restart without Git; after the pass, since it is large."""
        if self._unkept and self.desired is not None:
            self._store.keep_last_good(self.desired)
            self._unkept = False


class Service:
    """The control loop: keeps the last good revision in force and the bots equal to it, until `stop` is set."""

    def __init__(  # noqa: PLR0913  (the parts of the loop, each named)
        self,
        *,
        reconciler: Reconciler,
        fleet: Fleet,
        store: Store,
        notifier: Notifier,
        loader: Loader,
        settings: Settings,
        stop: asyncio.Event,
    ) -> None:
        self._reconciler = reconciler
        self._fleet = fleet
        self._store = store
        self._notifier = notifier
        self._loader = loader
        self._settings = settings
        self._stop = stop
        self._triggers = Triggers()
        self._state = DesiredState(store, settings)
        self._requeue = Requeue()
        self._rejected: dict[Key, str] = {}
        """Spec hashes that bots refused for good."""
        self._connected = True
        self._notifying: set[asyncio.Future[None]] = set()
        self._loading = asyncio.Lock()
        """Polling and watching may ask at once; of two loads at the same time the older might be put in force last."""

    @property
    def desired(self) -> Desired | None:
        """What is in force; None before the first good revision."""
        return self._state.desired

    async def run(self) -> None:
        """Make passes until `stop` is set; the step in flight is finished first."""
        self._fleet.on_change(self._on_change)
        self._fleet.on_link(self._on_link)
        await self._unless_stopped(self._fleet.settle(HEAD_START_S))
        await self.look_at_source()
        self._state.recover()
        # The first pass waits for a whole picture until a Basic peer's silence means something.
        window_s = max(target.basic_window_s for target in self._settings.targets.values())
        await self._unless_stopped(self._fleet.settle(window_s + 1.0))
        self._triggers.whole()
        async with background(self._poll_source(), self._watch_source(), self._watch_clock()):
            await asyncio.sleep(0)  # in this turn of the loop the watch is set up; what was committed
            await self.look_at_source()  # before that nothing is woken, and polling may be a minute away
            while True:
                wait_s = self._requeue.after_s or self._settings.sync.interval_s
                await self._unless_stopped(self._triggers.wait(wait_s))
                if self._stop.is_set():
                    return
                await self._pass(self._triggers.take())

    async def _unless_stopped(self, what: Coroutine[None, None, object]) -> None:
        """Wait for `what`, or until asked to stop."""
        await first_of(self._stop.wait(), what)

    # -- one pass

    async def _pass(self, only: frozenset[Key] | None) -> None:
        desired = self._state.desired
        if desired is None or not self._fleet.connected:
            return
        inventory = self._store.inventory()
        retried = {key for key in self._rejected if key in inventory and inventory[key].retry}
        self._rejected = {key: hash_ for key, hash_ in self._rejected.items() if key not in retried}
        options = self._reconciler.options(rejected=self._rejected)
        if not self._settings.sync.auto:
            plan = self._reconciler.plan(desired, options)
            await self._notifier.notify_standing(EventKind.PENDING, pending_events(plan))
            return
        try:
            report = await self._reconciler.run(desired, options, only=only)
        except StoreError as error:
            # Another process keeps the store, or its disk is full: reported once, and tried again.
            event = Event(EventKind.FAILED, Level.ERROR, str(error), subject=str(error))
            await self._notifier.notify([event])
            self._requeue = Requeue(RETRY_S[1], self._requeue.unseen)
            return
        self._learn_rejections(report)
        self._requeue = self._requeue.following(report)
        self._state.keep()

    def _learn_rejections(self, report: SyncReport) -> None:
        """Remember what a bot refused for good: sending the same spec again changes nothing."""
        for result in report.results:
            if result.outcome is Outcome.CONFIRMED:
                self._rejected.pop(result.change.key, None)
            elif result.change.desired is not None and result.steps[-1].code in SPEC_IS_WRONG:
                self._rejected[result.change.key] = spec_hash(result.change.desired)

    # -- what is desired

    async def look_at_source(self) -> None:
        """Read the newest revision; what cannot be read or is invalid leaves the last good one in force."""
        try:
            async with self._loading:
                revision = await asyncio.to_thread(self._loader.load)
                changed = self._state.advance(revision)
        except SourceError as error:
            event = Event(EventKind.SOURCE_LOST, Level.ERROR, f"Git: {error}", subject="git")
            await self._notifier.notify([event])
            return
        except InvalidFiles as error:
            event = invalid_event(error.problems, revision.commit)
            await self._notifier.notify_standing(EventKind.INVALID, [event])
            return
        back = Event(EventKind.SOURCE_BACK, Level.INFO, "Git can be read again")
        await self._notifier.notify_solved(EventKind.SOURCE_LOST, "git", back)
        await self._notifier.notify_standing(EventKind.INVALID, [])
        if changed is None:
            self._triggers.whole()
        elif changed:
            self._triggers.some(set(changed))

    async def _poll_source(self) -> None:
        while True:
            spread = random.uniform(0.9, 1.1)  # noqa: S311  (spreads load)
            await asyncio.sleep(self._settings.source.interval_s * spread)
            await self.look_at_source()

    async def _watch_source(self) -> None:
        async for _ in watch_source(self._settings.source):
            await self.look_at_source()

    # -- what is live

    def _on_change(self, target: str, update: PictureUpdate) -> None:
        """Called for each message: note which strategies need a look."""
        if update.changed:
            self._triggers.soon({Key(target, name) for name in update.changed})
        if update.picture and self._requeue.unseen:
            self._triggers.whole()
        for agent in update.agents:
            place = "" if target == DEFAULT_TARGET else f" on {target}"
            if agent.online:
                event = Event(EventKind.AGENT_BACK, Level.INFO, f"Agent {agent.name}{place} is back")
            else:
                lost = f"Agent {agent.name}{place} is lost: its strategies are unknown and left alone until it is back"
                event = Event(EventKind.AGENT_LOST, Level.ERROR, lost)
            self._notify_soon(event)
            self._triggers.whole()

    def _on_link(self, connected: bool, reason: str) -> None:
        """The broker went away or came back; what is to be reported waits until it can be delivered.

        While it is away, each new reason why reconnecting fails is logged: the loss itself was published.
        """
        if connected is self._connected:
            if not connected:
                log.warning("Broker still away: %s", reason)
            return
        self._connected = connected
        if connected:
            self._notify_soon(Event(EventKind.BROKER_BACK, Level.INFO, "Broker is back"))
            self._triggers.whole()
        else:
            self._notify_soon(Event(EventKind.BROKER_LOST, Level.ERROR, f"Broker lost: {reason}"))

    async def _watch_clock(self) -> None:
        """An agent that falls silent sends nothing that could wake us."""
        while True:
            await asyncio.sleep(TICK_S)
            self._fleet.tick()
            await self._fleet.ask_again()
            if self._store.refresh():
                self._triggers.whole()

    def _notify_soon(self, event: Event) -> None:
        task = asyncio.ensure_future(self._notifier.notify([event]))
        self._notifying.add(task)
        task.add_done_callback(self._notifying.discard)
