"""
Desired × Observed × inventory → Plan: one Change for each strategy that is not what Git says.

Rule 1: no clock, file or socket: the same input gives the same plan, in whatever order it comes.
Rule 2: a strategy that we cannot see gets no step; the one exception is for Basic peers (docs/protocol.md).
Rule 3: what is not ours is left alone until its file says `adopt`.
Rule 4: what lowers risk comes first, and is held by nothing but the owner's own word: suspend, protect, prune, a
bad file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from reconciler.model.change import Action, Change, Op, Plan, Reason, Step, TargetSummary
from reconciler.model.spec import Key, StrategySpec
from reconciler.model.state import Desired, Inventory, InventoryEntry, Observed, ObservedStrategy, Presence
from reconciler.plan import transitions
from reconciler.plan.compare import Case, is_as_claimed
from reconciler.plan.order import LOWERS_RISK, apply_order
from reconciler.plan.steps import CatalogView, cannot_be_given, change_of, digest_of, digest_of_all, hold
from reconciler.protocol.canonical import spec_hash
from reconciler.protocol.times import parse_time

UNPROTECT = "to delete it, bring its file back without protect, let that be applied, then remove the file"
"""What is remembered as protected stays so until a file says otherwise."""


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to plan. `owner`: our mark, as agents echo it. `now_utc`: RFC 3339, for `suspend.until`.

    `adopt`: take over live strategies that are not ours: True for all, or these names (`target/name`).
    `rejected`: spec hashes that a bot refused for good; they are not sent again until the spec changes.
    """

    owner: str
    now_utc: str
    prune: bool = True
    self_heal: bool = True
    adopt: frozenset[str] | bool = False
    rejected: Mapping[Key, str] = {}


def make_plan(  # noqa: PLR0913  (the four sides of a plan, how to make it, and how much of it)
    desired: Desired,
    observed: Mapping[str, Observed],
    inventory: Inventory,
    catalog: CatalogView,
    options: PlanOptions,
    *,
    only: frozenset[Key] | None = None,
) -> Plan:
    """Work out the one change that each strategy needs to become what `desired` says.

    `observed`: by target. `only`: look at these strategies and no others.
    """
    planner = _Planner(desired, observed, inventory, catalog, options)
    if only is None:
        # Every strategy that anybody names, once. In the order of Git, in which memory is read twice as fast.
        live = (Key(target, name) for target, view in observed.items() for name in view.strategies)
        keys: Iterable[Key] = dict.fromkeys((*desired.specs, *desired.held, *inventory, *live))
    else:
        keys = only
    found = [change for change in map(planner.change, keys) if change is not None]
    changes = tuple(sorted(found, key=apply_order))
    wanted = len(desired.specs) if only is None else len(only & desired.specs.keys())
    return Plan(
        commit=desired.commit,
        ref=desired.ref,
        changes=changes,
        unchanged=wanted - sum(change.key in desired.specs for change in changes),
        targets=tuple(
            TargetSummary(
                view.target, len(view.strategies), view.connected, view.complete, view.extended, view.age_s
            )
            for _, view in sorted(observed.items())
        ),
        live_digest=digest_of_all(change for change in changes if change.action.acts),
        forget=tuple(sorted(filter(planner.is_gone, inventory if only is None else only))),
    )


class _Planner(msgspec.Struct, frozen=True):
    """The four sides of a plan and how to make it; asked strategy by strategy."""

    desired: Desired
    observed: Mapping[str, Observed]
    inventory: Inventory
    catalog: CatalogView
    options: PlanOptions

    def change(self, key: Key) -> Change | None:
        """The change that strategy `key` needs, None if it needs none."""
        spec = self.desired.specs.get(key)
        if key in self.desired.held:
            return self._passive(key, Action.BLOCKED, Reason.HELD)
        if spec is None:
            return self._unwanted(key)
        suspend = spec.suspend
        if suspend is not None and not has_passed(suspend.until, self.options.now_utc):
            why = f"{suspend.reason}, until {suspend.until or 'it is taken out of the file'}"
            return self._passive(key, Action.BLOCKED, Reason.SUSPENDED, why)
        change = self._wanted(key, spec)
        if change is not None and self._is_rejected(change, spec):
            return hold(change, Reason.REJECTED)
        return change

    def is_gone(self, key: Key) -> bool:
        """Whether the inventory remembers what Git does not want and what is proved not to exist."""
        if key in self.desired.specs or key in self.desired.held or key not in self.inventory:
            return False
        if self.desired.unsure:
            return False
        return self._presence(key) is Presence.ABSENT

    def _presence(self, key: Key) -> Presence:
        view = self.observed.get(key.target)
        return Presence.UNKNOWN if view is None else view.presence(key.name)

    def _live(self, key: Key) -> ObservedStrategy:
        return self.observed[key.target].strategies[key.name]

    # In Git.

    def _wanted(self, key: Key, spec: StrategySpec) -> Change | None:
        view = self.observed.get(key.target)
        match self._presence(key):
            case Presence.PRESENT:
                return self._existing(key, spec)
            case Presence.ABSENT:
                return self._create(key, spec)
        if view is not None and view.connected and view.presumed_absent and key.name not in view.unbelievable:
            return self._create(key, spec, presumed=True)
        return self._passive(key, Action.UNKNOWN, Reason.UNSEEN, self._blindness(key))

    def _existing(self, key: Key, spec: StrategySpec) -> Change | None:
        live, entry = self._live(key), self.inventory.get(key)
        ours = self._is_ours(live, entry)
        case = Case(spec, live, entry, self.observed[key.target].extended, adopting=not ours)
        change = change_of(case, self.catalog, self_heal=self.options.self_heal)
        adopt = self.options.adopt
        named = adopt if isinstance(adopt, bool) else str(key) in adopt
        if change is None or ours or spec.adopt or named:
            return change
        return hold(change, Reason.NOT_OURS)

    def _is_ours(self, live: ObservedStrategy, entry: InventoryEntry | None) -> bool:
        """In the inventory, or announced as ours. One that was only claimed has to prove it: by its owner or,
        where none is named, by being what was asked for.
        """
        if live.owner is not None and live.owner == self.options.owner:
            return True
        if entry is None or not entry.claims:
            return entry is not None
        return live.owner is None and is_as_claimed(live, entry)

    def _create(self, key: Key, spec: StrategySpec, *, presumed: bool = False) -> Change:
        entry = self.inventory.get(key)
        lost = entry is not None and entry.reached is not None
        after = spec_hash(spec)
        change = Change(
            *key,
            Action.CREATE,
            Reason.PRESUMED_ABSENT if presumed else Reason.DRIFTED if lost else Reason.NEW,
            steps=tuple(
                # A pause is never refused for a hash.
                Step(op, spec=spec if op is Op.CREATE else None, spec_hash=None if op is Op.PAUSE else after)
                for op in transitions.CREATE[spec.state]
            ),
            wave=spec.wave,
            desired=spec,
            live_digest=digest_of(None),
        )
        if cannot_be_given(spec, extended=self.observed[key.target].extended):
            return hold(change, Reason.ACCOUNT)
        if lost and not self.options.self_heal:
            return hold(change, Reason.HEAL_OFF, "it no longer exists")
        return change

    def _is_rejected(self, change: Change, spec: StrategySpec) -> bool:
        """A refusal holds back what raises risk, until the spec changes or a person asks to try again."""
        known = self.options.rejected.get(change.key)
        if known is None or not change.action.acts or change.action in LOWERS_RISK:
            return False
        entry = self.inventory.get(change.key)
        return known == spec_hash(spec) and not (entry is not None and entry.retry)

    # Not in Git.

    def _unwanted(self, key: Key) -> Change | None:
        entry = self.inventory.get(key)
        match self._presence(key):
            case Presence.PRESENT if self._is_ours(self._live(key), entry):
                return self._delete(key, entry)
            case Presence.PRESENT:
                return self._passive(key, Action.UNMANAGED, Reason.NOT_OURS_UNMANAGED)
            case Presence.UNKNOWN if entry is not None:
                return self._passive(key, Action.UNKNOWN, Reason.UNSEEN, self._blindness(key))
        return None

    def _delete(self, key: Key, entry: InventoryEntry | None) -> Change:
        live = self._live(key)
        if entry is not None and entry.protect:
            return self._passive(key, Action.BLOCKED, Reason.PROTECTED, UNPROTECT)
        if not self.options.prune:
            return self._passive(key, Action.BLOCKED, Reason.PRUNE_OFF)
        if self.desired.unsure:
            detail = "it may stand in a file that cannot be read"
            return self._passive(key, Action.BLOCKED, Reason.HELD, detail)
        ops = transitions.DELETE[live.state]
        if ops is transitions.WAIT:
            return self._passive(key, Action.WAIT, Reason.IN_TRANSIT, live.state.value)
        return Change(
            *key,
            Action.DELETE,
            Reason.REMOVED,
            steps=tuple(Step(op) for op in ops),
            wave=entry.wave if entry else 0,
            detail=f"{live.trading_pair} on {live.exchange}" if live.trading_pair and live.exchange else "",
            live_digest=digest_of(live),
        )

    # No steps.

    def _passive(self, key: Key, action: Action, reason: Reason, detail: str = "") -> Change:
        spec, entry = self.desired.specs.get(key), self.inventory.get(key)
        wave = spec.wave if spec else entry.wave if entry else 0
        return Change(*key, action, reason, wave=wave, detail=detail, desired=spec)

    def _blindness(self, key: Key) -> str:
        view = self.observed.get(key.target)
        if view is None or not view.connected:
            return f"not connected to target {key.target}"
        if key.name in view.unbelievable:
            return "its agent is offline or has not reported yet"
        return "not all strategies have been reported"


def has_passed(until: str | None, now_utc: str) -> bool:
    """Whether a time of a `suspend` is over; None, and a time that cannot be read, never are."""
    if until is None:
        return False
    try:
        return parse_time(until) <= parse_time(now_utc)
    except ValueError:
        return False
