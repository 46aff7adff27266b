"""Builders for plans: what a test does not name is as it is in a healthy fleet of one Extended agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from reconciler.model.change import Change, Plan
from reconciler.model.spec import Key, StrategySpec
from reconciler.model.state import Desired, InventoryEntry, Lifecycle, Observed, ObservedStrategy
from reconciler.plan.planner import PlanOptions, make_plan
from reconciler.protocol.canonical import spec_hash

COMMIT = "9f3c2ab0000000000000000000000000000000aa"
OURS = "our-mark"
NOW = "2026-11-23T05:00:00Z"
CONFIG = {"bid_spread": Decimal("0.1"), "order_amount": Decimal("0.01"), "leverage": 2}


BASIC: dict[str, Any] = {"extended": False}
"""What is different about the view of a Basic peer."""


class FakeCatalog:
    """`leverage` and `mode` need a restart; everything else is hot."""

    def apply_mode(self, strategy_type: str, field: str, /) -> str:
        return "restart" if field in {"leverage", "mode"} else "hot"

    def unit(self, strategy_type: str, field: str, /) -> str:
        return _UNITS.get(field, "")


_UNITS = {
    "bid_spread": "percent",
    "order_amount": "base",
    "order_refresh_time": "seconds",
    "take": "fraction",
}


def spec(name: str = "mm", *, config: Mapping[str, Any] = CONFIG, **envelope: Any) -> StrategySpec:
    given: dict[str, Any] = {
        "strategy_type": "pure_market_making",
        "exchange": "binance",
        "trading_pair": "BTC-USDT",
        **envelope,
    }
    return StrategySpec(name, config=dict(config), **given)


def with_config(**fields: Any) -> StrategySpec:
    """`spec()` with these config fields set; None takes one out."""
    config = {key: value for key, value in {**CONFIG, **fields}.items() if value is not None}
    return spec(config=config)


def live(
    of: StrategySpec, state: Lifecycle | str = Lifecycle.RUNNING, *, basic: bool = False, **other: Any
) -> ObservedStrategy:
    """`of` as an agent that has taken it reports it; a Basic peer says no account, hash or owner."""
    extended = {} if basic else {"account": of.account, "spec_hash": spec_hash(of), "owner": OURS}
    given: dict[str, Any] = {
        "strategy_type": of.strategy_type,
        "exchange": of.exchange,
        "trading_pair": of.trading_pair,
        "config": of.config,
        **extended,
        **other,
    }
    return ObservedStrategy(of.name, Lifecycle(state), **given)


def entry(of: StrategySpec, **other: Any) -> InventoryEntry:
    """What the store remembers of `of`, once it was confirmed."""
    given: dict[str, Any] = {"account": of.account, "wave": of.wave, "protect": of.protect, **other}
    return InventoryEntry(
        of.target, of.name, of.strategy_type, of.exchange, of.trading_pair, of.config, spec_hash(of), **given
    )


def entry_of(of: StrategySpec, commit: str = COMMIT, *, reached: bool = False) -> InventoryEntry:
    """What the store remembers of a spec; `reached`: the bot was seen in the wished state."""
    return InventoryEntry.from_spec(of, spec_hash(of), commit, reached=of.state if reached else None)


def seen(*strategies: ObservedStrategy, **other: Any) -> Observed:
    given: dict[str, Any] = {
        "target": "default",
        "connected": True,
        "complete": True,
        "extended": True,
        "age_s": 0.4,
        **other,
    }
    return Observed(strategies={strategy.name: strategy for strategy in strategies}, **given)


def options(**other: Any) -> PlanOptions:
    return PlanOptions(**{"owner": OURS, "now_utc": NOW, **other})


def plan_for(
    specs: Iterable[StrategySpec],
    view: Observed,
    inventory: Iterable[InventoryEntry] = (),
    *,
    held: Iterable[Key] = (),
    only: frozenset[Key] | None = None,
    **how: Any,
) -> Plan:
    desired = Desired(COMMIT, "main", {one.key: one for one in specs}, held=frozenset(held))
    known = {one.key: one for one in inventory}
    return make_plan(desired, {view.target: view}, known, FakeCatalog(), options(**how), only=only)


def plan_one(
    desired: StrategySpec | None,
    now: ObservedStrategy | None,
    applied: StrategySpec | None = None,
    *,
    view: Mapping[str, Any] | None = None,
    known: Mapping[str, Any] | None = None,
    **how: Any,
) -> Change | None:
    """The change of one strategy. `applied`: what we last saw confirmed, None if nothing is remembered.

    `view`: fields of Observed; `known`: further fields of the inventory's entry.
    """
    inventory = [entry(applied, **(known or {}))] if applied else []
    plan = plan_for(
        [desired] if desired else [], seen(*([now] if now else []), **(view or {})), inventory, **how
    )
    assert len(plan.changes) <= 1
    return plan.changes[0] if plan.changes else None


def change(desired: StrategySpec | None, now: ObservedStrategy | None, *args: Any, **how: Any) -> Change:
    """As `plan_one`, for a strategy that does need a change."""
    found = plan_one(desired, now, *args, **how)
    assert found is not None
    return found


def ops(of: Change) -> str:
    """The commands of a change, as they are read in a plan."""
    return " ".join(step.op.value for step in of.steps)
