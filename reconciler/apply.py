"""
Plan → Outcomes. The only sender of commands.

Rule 1: the steps of one strategy strictly one after another, each confirmed before the next.
Rule 2: a step that timed out is unknown: look, then decide; a retry carries the same idempotency key.
Rule 3: a strategy fails alone; a wave that raises risk waits until the one before it is healthy.
Rule 4: asked to stop, it finishes the step in flight and skips the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from reconciler.aio import backoff_s, jittered_s
from reconciler.errors import BrokerError, CommandRejected
from reconciler.fleet.base import CommandContext, Fleet, PendingCommand
from reconciler.fleet.confirm import Next, StepVerdict, judge
from reconciler.model.change import Change, Op, Plan, Step
from reconciler.model.report import ChangeResult, Outcome, StepResult
from reconciler.model.spec import Key
from reconciler.model.state import InventoryEntry, Lifecycle, Presence
from reconciler.plan.order import LOWERS_RISK, waves
from reconciler.protocol.canonical import spec_hash
from reconciler.settings.model import SyncSettings
from reconciler.store.base import Store

TRANSIT_PATIENCE = 4
"""A bot that says `starting` or `stopping` gets this many step timeouts: a real one needs up to 30 s to
cancel its orders and 12 s to come up (hummingbot.md)."""

BACKOFF_FIRST_S = 0.2
BACKOFF_LIMIT_S = 10.0

UNHEALTHY = "the wave before it is not healthy"
UNHEARD = "the broker reports no subscriber for commands: is the agent running?"

Progress = Callable[[Change, Step, StepResult | None], None]
"""Called when a step begins (result None) and when it ends."""


def quiet(change: Change, step: Step, result: StepResult | None) -> None:
    """Progress for callers that want none."""


class Job(NamedTuple):
    """One change to be carried out, and the commit that wants it."""

    key: Key
    change: Change
    commit: str


class Applier:
    """Sends the steps of plans to `fleet` and records in `store` what they led to."""

    def __init__(self, fleet: Fleet, store: Store, sync: SyncSettings, *, stop: asyncio.Event) -> None:
        self._fleet = fleet
        self._store = store
        self._sync = sync
        self._stop = stop
        self._clock = asyncio.get_running_loop().time
        fleet.record_first(store.flush)

    async def apply(self, plan: Plan, progress: Progress = quiet) -> tuple[ChangeResult, ...]:
        """Carry out `plan`; one result for each change that acts, in the plan's order."""
        results: dict[Key, ChangeResult] = {}
        healthy = True
        for wave in waves(plan):
            jobs = [Job(change.key, change, plan.commit) for change in wave]
            if all(change.action in LOWERS_RISK for change in wave):
                await self._wave(jobs, results, progress)
            elif healthy:
                await self._wave(jobs, results, progress)
                healthy = all(results[job.key].outcome is Outcome.CONFIRMED for job in jobs)
            else:
                results.update((job.key, _skipped(job.change, UNHEALTHY)) for job in jobs)
        if any(result.outcome is Outcome.UNKNOWN for result in results.values()):
            await self._fleet.start_over()
        return tuple(results[change.key] for change in plan.acting)

    async def _wave(self, jobs: Sequence[Job], results: dict[Key, ChangeResult], progress: Progress) -> None:
        """Run a wave's changes, at most `sync.concurrency` at a time."""
        queue = iter(jobs)

        async def worker() -> None:
            for job in queue:
                results[job.key] = await self._change(job, progress)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._sync.concurrency, len(jobs))):
                group.create_task(worker())

    async def _change(self, job: Job, progress: Progress) -> ChangeResult:
        change = job.change
        done: list[StepResult] = []
        for step in change.steps:
            if self._stop.is_set():
                return _skipped(change, "asked to stop before this step", done)
            progress(change, step, None)
            result = await self._step(job, step)
            done.append(result)
            progress(change, step, result)
            if result.outcome is not Outcome.CONFIRMED:
                return ChangeResult(change, result.outcome, tuple(done))
        self._reached(job)
        return ChangeResult(change, Outcome.CONFIRMED, tuple(done))

    # -- one step

    async def _step(self, job: Job, step: Step) -> StepResult:
        """Send `step` until it is confirmed, refused, or nothing more can be known now."""
        started = self._clock()
        key = job.key
        idempotency_key = self._store.key_for(key, step.op, step.spec_hash or "")
        fresh = step.op is Op.CREATE and key not in self._store.inventory()
        if step.op is Op.CREATE:
            self._claim(job, step)  # before it is sent: if we die then, the bot is still ours
        context = CommandContext(idempotency_key, job.commit, self._sync.step_timeout_s)
        verdict = StepVerdict(Next.WAIT)
        attempt = 0
        for attempt in range(1, self._sync.retries + 2):
            verdict = await self._attempt(key, step, context)
            if not self._again(key, verdict) or attempt > self._sync.retries:
                break
            # The bot's own wish counts if it is longer than our backoff.
            pause_s = jittered_s(backoff_s(attempt, first_s=BACKOFF_FIRST_S, longest_s=BACKOFF_LIMIT_S))
            await asyncio.sleep(max(verdict.retry_after_s or 0.0, pause_s))
        self._settle(job, step, verdict, fresh=fresh)
        # A retry that ran out is a failure: the bot said no each time.
        outcome = Outcome.FAILED if verdict.next is Next.RETRY else verdict.outcome
        return StepResult(step.op, outcome, attempt, self._clock() - started, verdict.code, verdict.message)

    async def _attempt(self, key: Key, step: Step, context: CommandContext) -> StepVerdict:
        """Send once and wait until there is a verdict or the step's time is up."""
        try:
            async with self._fleet.send(key, step, context) as pending:
                verdict = await self._await_verdict(key, step, pending)
                if verdict.next is Next.DONE and not pending.extended:
                    self._fleet.believe(key, step)
                return verdict
        except BrokerError as error:
            return StepVerdict(Next.LOOK_AGAIN, "", str(error))
        except CommandRejected as error:
            return StepVerdict(Next.FAILED, error.code, error.reason)

    async def _await_verdict(self, key: Key, step: Step, pending: PendingCommand) -> StepVerdict:
        """Judge at every news of `key`.

        Raises:
            BrokerError: whether the command arrived is unknown.
        """
        started = self._clock()
        while True:
            await pending.next_news()
            if pending.lost is not None:
                raise pending.lost
            now = self._fleet.strategy(key)
            verdict = judge(
                step,
                before=pending.before,
                now=now,
                presence=self._fleet.presence(key) if step.op is Op.DELETE else Presence.UNKNOWN,
                reply=pending.reply,
                extended=pending.extended,
            )
            if verdict.next is not Next.WAIT:
                return verdict
            patience = TRANSIT_PATIENCE if now is not None and now.state in _TRANSIT else 1
            if self._clock() - started >= self._sync.step_timeout_s * patience:
                return _out_of_time(pending)

    def _again(self, key: Key, verdict: StepVerdict) -> bool:
        """Whether sending the same step again is safe and of use.

        After a timeout only an Extended peer may be asked again: it knows the idempotency key.
        """
        if self._stop.is_set() or not self._fleet.connected:
            return False
        return verdict.next is Next.RETRY or (verdict.next is Next.WAIT and self._fleet.reachable(key.target))

    # -- what the store learns

    def _settle(self, job: Job, step: Step, verdict: StepVerdict, *, fresh: bool) -> None:
        """Close the step in the outbox when its fate is known, and record a new spec when it took."""
        if verdict.next is Next.WAIT or (verdict.next is Next.LOOK_AGAIN and not verdict.code):
            return
        self._store.settle(job.key, step.op)
        if verdict.next is Next.DONE and step.op is Op.DELETE:
            self._store.forget(job.key)
        elif verdict.next is Next.DONE and step.op in _GIVES_A_SPEC:
            if (desired := job.change.desired) is not None:
                created = step.spec_hash if step.op is Op.CREATE else None
                hash_ = created or spec_hash(desired)
                self._store.put(InventoryEntry.from_spec(desired, hash_, job.commit))
        elif verdict.next is not Next.DONE and fresh:
            self._store.forget(job.key)

    def _claim(self, job: Job, step: Step) -> None:
        """Note what is about to be created, unless it is known as ours: then what was confirmed last still holds."""
        known, spec = self._store.inventory().get(job.key), job.change.desired
        if spec is not None and (known is None or known.claims):
            claims = tuple(dict.fromkeys((*(known.claims if known else ()), spec.identity)))
            hash_ = step.spec_hash or spec_hash(spec)
            self._store.put(InventoryEntry.from_spec(spec, hash_, job.commit, claims=claims))

    def _reached(self, job: Job) -> None:
        """A change that was confirmed whole is where Git wants it; a person's wish to retry is fulfilled."""
        desired = job.change.desired
        if desired is None:
            return
        entry = self._store.inventory().get(job.key) or InventoryEntry.from_spec(
            desired, spec_hash(desired), job.commit
        )
        self._store.put(msgspec.structs.replace(entry, reached=desired.state, retry=False, claims=()))


def _out_of_time(pending: PendingCommand) -> StepVerdict:
    """No verdict in time: unknown. An answer that the status contradicts has had its effect and lost it
    again, so its idempotency key is spent; without an answer the key stays good for the next try.
    """
    if pending.reply is not None and pending.reply.ok:
        return StepVerdict(
            Next.LOOK_AGAIN, "NOT_SEEN", "answered with success, but the status does not show it"
        )
    return StepVerdict(Next.WAIT, "", UNHEARD if pending.unheard else "no answer and no new status in time")


def _skipped(change: Change, why: str, done: Sequence[StepResult] = ()) -> ChangeResult:
    """A change whose next step was not sent."""
    skipped = StepResult(change.steps[len(done)].op, Outcome.SKIPPED, 0, message=why)
    return ChangeResult(change, Outcome.SKIPPED, (*done, skipped))


_TRANSIT = {Lifecycle.STARTING, Lifecycle.STOPPING}
_GIVES_A_SPEC = {Op.CREATE, Op.UPDATE}
