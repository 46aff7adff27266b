"""
A strategy that Git wants and that is live → its Change.

Rule 1: the commands come from a table, chosen by what differs.
Rule 2: a bot that stopped itself is started again only for a changed spec or by a person.
Rule 3: a protected strategy is never recreated, nor is one that the peer could not be given back as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import msgspec

from reconciler.model.change import Action, Change, ConfigMode, Cost, Op, Reason, Step
from reconciler.model.spec import DEFAULT_ACCOUNT, Config, StrategySpec, Wish
from reconciler.model.state import Lifecycle, ObservedStrategy
from reconciler.plan import transitions
from reconciler.plan.compare import Case, Gap, changed_in_git, find_gap, hash_after, without_drift
from reconciler.protocol.canonical import canonical_json, spec_hash


class CatalogView(Protocol):
    """What a plan asks about a field: whether a running bot takes it, and its unit."""

    def apply_mode(self, strategy_type: str, field: str, /) -> str: ...
    def unit(self, strategy_type: str, field: str, /) -> str: ...


def change_of(case: Case, catalog: CatalogView, *, self_heal: bool = True) -> Change | None:
    """What turns the live strategy into its spec; None if it is that already."""
    gap = find_gap(case)
    if not (gap.of_spec or gap.state or case.adopting):
        return None
    if self_heal or case.retrying:
        return _change(case, gap, catalog)
    asked = without_drift(case, gap)
    if asked.of_spec or asked.state or case.adopting:
        return _change(case, asked, catalog)
    drifted = _change(case, gap, catalog)
    return hold(drifted, Reason.HEAL_OFF) if drifted.action.acts else drifted


def hold(change: Change, reason: Reason, detail: str = "") -> Change:
    """`change` as it would be, with nothing done about it and the reason why."""
    return msgspec.structs.replace(
        change, action=Action.BLOCKED, reason=reason, detail=detail, steps=(), cost=None, live_digest=""
    )


def _change(case: Case, gap: Gap, catalog: CatalogView) -> Change:
    spec, live = case.spec, case.live
    change = Change(
        spec.target,
        spec.name,
        Action.WAIT,
        Reason.IN_TRANSIT,
        fields=tuple(
            msgspec.structs.replace(field, unit=_unit_of(field.path, spec, catalog)) for field in gap.fields
        ),
        wave=spec.wave,
        detail=live.state.value,
        desired=spec,
    )
    in_error = live.state is Lifecycle.ERROR and spec.state is not Wish.STOPPED
    if in_error and not case.retrying and not changed_in_git(case, gap):
        return hold(change, Reason.BOT_ERROR, live.message)
    ops = _table(case, gap, catalog)[live.state, spec.state]
    if ops is transitions.WAIT:
        return change
    if Op.DELETE in ops and spec.protect:
        return hold(change, Reason.PROTECTED)
    if Op.DELETE in ops and cannot_be_given(spec, extended=case.extended):
        return hold(change, Reason.ACCOUNT)
    cost = _cost(live.state, ops)
    return msgspec.structs.replace(
        change,
        action=_action(ops),
        reason=_reason(case, gap, cost),
        steps=tuple(_steps(case, gap, ops)),
        cost=cost,
        detail="",
        live_digest=digest_of(live),
    )


def _unit_of(path: str, spec: StrategySpec, catalog: CatalogView) -> str:
    """The unit of a field of `config`; other fields have none."""
    head, _, rest = path.partition(".")
    return catalog.unit(spec.strategy_type, rest.partition(".")[0]) if head == "config" else ""


def _table(case: Case, gap: Gap, catalog: CatalogView) -> transitions.Table:
    if gap.identity or (gap.removed and not case.extended):
        return transitions.RECREATE
    if not (gap.of_spec or case.adopting):
        return transitions.MOVE
    changed = gap.wanted if gap.whole else (*gap.touched, *gap.removed)
    restart = any(catalog.apply_mode(case.spec.strategy_type, key) == "restart" for key in changed)
    return transitions.UPDATE_RESTART if restart else transitions.UPDATE_HOT


def cannot_be_given(spec: StrategySpec, *, extended: bool) -> bool:
    """Whether a create would be refused: a Basic peer trades with its one account."""
    return not extended and spec.account != DEFAULT_ACCOUNT


def _action(ops: transitions.Ops) -> Action:
    raises = Op.START in ops or Op.RESUME in ops
    if Op.DELETE in ops:
        return Action.REPLACE
    if ops[0] in {Op.STOP, Op.PAUSE} and not raises:
        return Action[ops[0].name]
    if Op.UPDATE in ops:
        return Action.UPDATE
    return Action.START if Op.START in ops else Action.RESUME


def _cost(state: Lifecycle, ops: transitions.Ops) -> Cost | None:
    """What it costs a bot that is up: a stopped one loses nothing by an update."""
    if Op.DELETE in ops:
        return Cost.RECREATE
    if state not in {Lifecycle.RUNNING, Lifecycle.PAUSED} or Op.UPDATE not in ops:
        return None
    if Op.STOP in ops:
        return Cost.RESTART if Op.START in ops else None
    return Cost.HOT


def _reason(case: Case, gap: Gap, cost: Cost | None) -> Reason:
    if case.adopting:
        return Reason.ADOPTED
    if gap.identity:
        return Reason.IDENTITY_CHANGED
    if gap.removed:
        return Reason.KEY_REMOVED if case.extended else Reason.BASIC_REPLACE
    if gap.of_spec and changed_in_git(case, gap):
        return Reason.RESTART_NEEDED if cost is Cost.RESTART else Reason.CHANGED
    if case.retrying:
        return Reason.RETRY
    return Reason.DRIFTED if gap.of_spec else _reason_of_state(case)


def _reason_of_state(case: Case) -> Reason:
    """Git has changed its wish since it was last fulfilled, or the bot is no longer where it was."""
    fulfilled = case.entry.reached if case.entry else None
    return Reason.STATE if fulfilled in {None, case.spec.state} else Reason.CHANGED


def _steps(case: Case, gap: Gap, ops: transitions.Ops) -> Iterator[Step]:
    """The commands; those that raise risk carry the hash of what they are to start."""
    after = case.live.spec_hash
    for op in ops:
        if op is Op.CREATE:
            after = spec_hash(case.spec)
            yield Step(op, spec=case.spec, spec_hash=after)
        elif op is Op.UPDATE:
            step = _update_step(case, gap)
            after = step.spec_hash
            yield step
        else:
            yield Step(op, spec_hash=after if op in {Op.START, Op.RESUME} else None)


def _update_step(case: Case, gap: Gap) -> Step:
    """Only what differs; all of it where a key is to go, or where the bot is to learn whose it is now."""
    if gap.removed or (gap.whole and case.extended):
        after = spec_hash(msgspec.structs.replace(case.spec, config=gap.wanted))
        return Step(Op.UPDATE, config=gap.wanted, config_mode=ConfigMode.REPLACE, spec_hash=after)
    patch: Config = gap.wanted
    if not (case.adopting or gap.whole):
        patch = {key: gap.wanted[key] for key in gap.touched}
    return Step(Op.UPDATE, config=patch, spec_hash=hash_after(case, patch))


# What was observed of a strategy → a digest, by which a saved plan notices that its world has moved.


def digest_of(live: ObservedStrategy | None) -> str:
    """Digest of what a plan is made from: no times, sequence numbers or messages. None: it does not exist."""
    return _sha256(live and [getattr(live, name) for name in _COUNTS])


_COUNTS = (
    "state",
    "strategy_type",
    "exchange",
    "trading_pair",
    "account",
    "config",
    "spec_hash",
    "owner",
)


def digest_of_all(changes: Iterable[Change]) -> str:
    """Digest over all that `changes` touch, in no particular order."""
    return _sha256(sorted([*change.key, change.live_digest] for change in changes))


def _sha256(value: Any) -> str:  # noqa: ANN401  (any JSON value)
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()
