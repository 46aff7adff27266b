"""
One strategy that Git wants and that is live → what differs, and whether Git or the bot moved.

Rule 1: what a peer does not report is taken from what it last confirmed to us.
Rule 2: a hash that a peer reports is believed over our memory when it does not report its config.
Rule 3: `ignore_drift` keeps the live value until Git itself says something new.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from reconciler.model.change import FieldChange
from reconciler.model.spec import IDENTITY_FIELDS, Config, StrategySpec
from reconciler.model.state import InventoryEntry, Lifecycle, ObservedStrategy
from reconciler.plan.diff import config_changes, keep_live, same_value
from reconciler.protocol.canonical import hash_of, spec_hash


class Case(msgspec.Struct, frozen=True, gc=False):
    """What bears on the change of one strategy. `adopting`: it is not ours yet and is to become ours."""

    spec: StrategySpec
    live: ObservedStrategy
    entry: InventoryEntry | None
    extended: bool
    adopting: bool = False

    @property
    def taken(self) -> InventoryEntry | None:
        """What it took last, if that was ever confirmed."""
        return None if self.entry is None or self.entry.claims else self.entry

    @property
    def retrying(self) -> bool:
        """A person asked to try again, and there is an error to get over."""
        return self.entry is not None and self.entry.retry and self.live.state is Lifecycle.ERROR


class Gap(msgspec.Struct, frozen=True, gc=False):
    """What differs. `wanted`: the config to reach, live values of ignored fields kept.

    `touched`: keys of `wanted` under which something differs; `removed`: keys of the live config that are to go.
    `whole`: the live config is not known and its hash is not ours, so all of `wanted` has to be sent.
    """

    wanted: Config
    identity: tuple[FieldChange, ...] = ()
    config: tuple[FieldChange, ...] = ()
    touched: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    state: FieldChange | None = None
    whole: bool = False

    @property
    def of_spec(self) -> bool:
        """Whether anything but the state differs."""
        return bool(self.identity or self.config or self.whole)

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        return (*self.identity, *self.config, *((self.state,) if self.state else ()))


def find_gap(case: Case) -> Gap:
    """Compare the spec with all that is known of the live strategy."""
    spec, live, entry = case.spec, case.live, case.taken
    known = known_config(case)
    wanted = spec.config
    for path in spec.ignore_drift:
        wanted = keep_live(wanted, known or wanted, entry.config if entry else None, path)
    moved = live.state.value != spec.state.value
    state = FieldChange("state", live.state.value, spec.state.value) if moved else None
    gap = Gap(wanted, tuple(_identity_changes(case)), state=state, whole=known is None)
    return gap if known is None else _with_config(gap, case, known)


def _with_config(gap: Gap, case: Case, known: Config) -> Gap:
    """`gap` and what of the config differs."""
    once = case.entry.config if case.entry else {}
    wanted = gap.wanted
    changes = tuple(config_changes(wanted, known, once))
    if not changes:
        if not _declares_more(case):
            return gap
        more = tuple(sorted(known.keys() - case.spec.config.keys()))
        shown = tuple(FieldChange(f"config.{key}", known[key], None, removed=True) for key in more)
        return msgspec.structs.replace(gap, config=shown, removed=more, whole=not more)
    extra = _declared_extra(case)
    changes += tuple(
        FieldChange(f"config.{key}", known[key], None, removed=True) for key in extra if key not in once
    )
    removed = tuple(sorted({*extra, *(key for key in once if key not in wanted and key in known)}))
    if any(change.removed for change in changes) and _is_exactly(case.spec, case.live):
        changes, removed = tuple(change for change in changes if not change.removed), ()
    touched = tuple(
        key
        for key in wanted
        if any(config_changes({key: wanted[key]}, known, {key: once[key]} if key in once else {}))
    )
    return msgspec.structs.replace(gap, config=changes, touched=touched, removed=removed)


def _declares_more(case: Case) -> bool:
    """Whether an agent's hash proves that it holds a declared field that Git does not, with all of Git's fields
    there: one that was added by hand, or one whose removal was lost with the store.
    """
    spec, live, entry = case.spec, case.live, case.taken
    if not case.extended or live.spec_hash is None or spec.ignore_drift:
        return False
    if entry is not None and entry.spec_hash == live.spec_hash and entry.config == spec.config:
        return False
    return not _is_exactly(spec, live)


def _declared_extra(case: Case) -> tuple[str, ...]:
    """Keys besides Git's that an agent's hash proves to be declared: it reports exactly what it was sent."""
    live, wanted = case.live, case.spec.config
    extra = tuple(sorted((live.config or {}).keys() - wanted.keys()))
    if not extra or not case.extended or case.spec.ignore_drift or live.spec_hash is None:
        return ()
    return extra if _hash(case, live.config or {}) == live.spec_hash else ()


def _is_exactly(spec: StrategySpec, live: ObservedStrategy) -> bool:
    """The peer's hash proves that nothing more is declared than Git says; what else it shows, the bot filled in."""
    return live.spec_hash is not None and live.spec_hash == spec_hash(spec)


_EXTENDED_IDENTITY = (*IDENTITY_FIELDS, "account")
"""A Basic peer takes no account, and never reports one."""


def _identity_changes(case: Case) -> Iterator[FieldChange]:
    spec, live = case.spec, case.live
    same = live.strategy_type == spec.strategy_type and live.exchange == spec.exchange
    if same and live.trading_pair == spec.trading_pair and live.account == spec.account:
        return
    for name in _EXTENDED_IDENTITY if case.extended else IDENTITY_FIELDS:
        before = getattr(live, name)
        if before is None and case.taken is not None:
            before = getattr(case.taken, name)
        after = getattr(spec, name)
        if before is not None and before != after:
            yield FieldChange(name, before, after)


def known_config(case: Case) -> Config | None:
    """The live config as far as it can be known; None if it is some other than we know of.

    A Basic peer may report only some keys; the others are taken from what it last confirmed.
    """
    live, entry, declared = case.live, case.taken, case.spec.config
    if live.config is None:
        # What it must be by its hash. With `ignore_drift` another hash may be just the field that is ignored.
        ignores = bool(case.spec.ignore_drift)
        if entry is not None and (ignores or live.spec_hash in (None, entry.spec_hash)):
            return entry.config
        return declared if ignores or _is_exactly(case.spec, live) else None
    if case.extended or entry is None or declared.keys() <= live.config.keys():
        return live.config
    confirmed = {key: value for key, value in entry.config.items() if key in declared}
    return {**confirmed, **live.config}


def is_as_claimed(live: ObservedStrategy, entry: InventoryEntry) -> bool:
    """Whether nothing that is reported of a strategy speaks against its being what we asked for."""
    reported = (live.strategy_type, live.exchange, live.trading_pair)
    return any(
        all(shown in {None, asked} for shown, asked in zip(reported, claim, strict=True))
        for claim in entry.claims
    )


def changed_in_git(case: Case, gap: Gap) -> bool:
    """Whether the spec is another than the one that the live strategy last took; else it drifted."""
    spec, entry = case.spec, case.taken
    if entry is None:
        return gap.of_spec if case.live.spec_hash is None else not _is_exactly(spec, case.live)
    names = _EXTENDED_IDENTITY if case.extended else IDENTITY_FIELDS
    same = all(getattr(entry, name) == getattr(spec, name) for name in names)
    return not (same and same_value(entry.config, spec.config))


def without_drift(case: Case, gap: Gap) -> Gap:
    """Of `gap`, what Git asks for; what only the bot moved away from is left out (`sync.self_heal: false`)."""
    asked = changed_in_git(case, gap) or case.adopting
    state = None if case.entry is not None and case.entry.reached is case.spec.state else gap.state
    return msgspec.structs.replace(gap, state=state) if asked else Gap(gap.wanted, state=state)


def hash_after(case: Case, patch: Config) -> str | None:
    """`spec_hash` once `patch` is merged into what the peer holds; None if that cannot be known.

    A peer that reports a hash proves by it what it holds. Without one, it is known as long as there is no key
    that Git does not declare: it is unknown who set that, or whether the bot filled it in.
    """
    if case.live.spec_hash is not None:
        held = _proved(case)
        return None if held is None else _hash(case, {**held, **patch})
    known = known_config(case)
    complete = known is not None and same_value({**known, **patch}, case.spec.config)
    return spec_hash(case.spec) if complete else None


def _proved(case: Case) -> Config | None:
    """The declared config that the reported hash proves: what it took last, all that it reports, or what Git
    wants of that. None if it is none of them.
    """
    live, entry = case.live, case.taken
    if entry is not None and live.spec_hash == entry.spec_hash:
        return entry.config
    reported = live.config or {}
    wanted = {key: value for key, value in reported.items() if key in case.spec.config}
    return next((config for config in (reported, wanted) if _hash(case, config) == live.spec_hash), None)


def _hash(case: Case, config: Config) -> str:
    spec = case.spec
    return hash_of(
        name=spec.name,
        strategy_type=spec.strategy_type,
        exchange=spec.exchange,
        trading_pair=spec.trading_pair,
        account=case.live.account or spec.account,
        config=config,
    )
