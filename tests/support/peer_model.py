"""A pure model of a peer that does exactly what commands say, and refuses what a real one refuses."""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.model.change import Change, ConfigMode, Op, Plan, Step
from reconciler.model.spec import StrategySpec
from reconciler.model.state import InventoryEntry, Lifecycle, Observed, ObservedStrategy
from reconciler.plan.order import waves
from reconciler.protocol.canonical import hash_of
from tests.support.plan_builders import OURS, FakeCatalog, entry, live, seen

_FROM = {
    Op.START: {Lifecycle.STOPPED},
    Op.PAUSE: {Lifecycle.RUNNING},
    Op.RESUME: {Lifecycle.PAUSED},
    Op.STOP: {Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STARTING, Lifecycle.ERROR},
    Op.DELETE: {Lifecycle.STOPPED, Lifecycle.ERROR},
    Op.UPDATE: {Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STOPPED, Lifecycle.ERROR},
}
_TO = {
    Op.START: Lifecycle.RUNNING,
    Op.RESUME: Lifecycle.RUNNING,
    Op.PAUSE: Lifecycle.PAUSED,
    Op.STOP: Lifecycle.STOPPED,
}


class PerfectPeer:
    """Strategies of one target, and what a store would remember of them."""

    def __init__(self, *, basic: bool = False) -> None:
        self.basic = basic
        self.strategies: dict[str, ObservedStrategy] = {}
        self.inventory: dict[str, InventoryEntry] = {}

    def observe(self) -> Observed:
        return seen(*self.strategies.values(), extended=not self.basic)

    def carry_out(self, plan: Plan) -> None:
        for wave in waves(plan):
            for change in wave:
                for step in change.steps:
                    self._take(change, step)
        for key in plan.forget:
            self.inventory.pop(key.name, None)

    def settle(self) -> None:
        """Let what is on its way arrive."""
        arrived = {Lifecycle.STARTING: Lifecycle.RUNNING, Lifecycle.STOPPING: Lifecycle.STOPPED}
        for name, strategy in self.strategies.items():
            self._put(strategy, state=arrived.get(strategy.state, strategy.state))
            assert name in self.strategies

    def _take(self, change: Change, step: Step) -> None:
        if step.op is Op.CREATE:
            assert step.spec is not None
            self._create(step.spec, step)
        else:
            held = self.strategies[change.name]
            assert held.state in _FROM[step.op], f"{step.op} in {held.state}"
            self._act(change, step, held)
        self._record(change.desired, step)

    def _create(self, wanted: StrategySpec, step: Step) -> None:
        assert wanted.name not in self.strategies
        made = live(wanted, Lifecycle.STOPPED, basic=self.basic)
        assert self.basic or made.spec_hash == step.spec_hash
        self.strategies[wanted.name] = made

    def _act(self, change: Change, step: Step, held: ObservedStrategy) -> None:
        if step.op is Op.DELETE:
            del self.strategies[change.name]
            self.inventory.pop(change.name, None)
        elif step.op is Op.UPDATE:
            self._update(step, held)
        else:
            self._put(held, state=_TO[step.op])
        if step.op in {Op.UPDATE, Op.START, Op.RESUME} and step.spec_hash and not self.basic:
            assert self.strategies[change.name].spec_hash == step.spec_hash

    def _update(self, step: Step, held: ObservedStrategy) -> None:
        assert step.config is not None
        before = held.config or {}
        assert not (self.basic and step.config_mode is ConfigMode.REPLACE)
        config = step.config if step.config_mode is ConfigMode.REPLACE else {**before, **step.config}
        self._refuse_while_live(held, before, config)
        self._put(held, config=config)

    @staticmethod
    def _refuse_while_live(held: ObservedStrategy, before: dict[str, Any], after: dict[str, Any]) -> None:
        if held.state in {Lifecycle.RUNNING, Lifecycle.PAUSED}:
            changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
            assert not any(FakeCatalog().apply_mode("", key) == "restart" for key in changed)

    def _put(self, held: ObservedStrategy, **other: Any) -> None:
        new = msgspec.structs.replace(held, **other)
        if not self.basic:
            new = msgspec.structs.replace(new, spec_hash=_own_hash(new))
        if not self.basic and "config" in other:
            new = msgspec.structs.replace(new, owner=OURS)
        self.strategies[held.name] = new

    def _record(self, desired: StrategySpec | None, step: Step) -> None:
        if desired is not None and step.op in {Op.CREATE, Op.UPDATE}:
            self.inventory[desired.name] = entry(desired)


def _own_hash(strategy: ObservedStrategy) -> str:
    return hash_of(
        name=strategy.name,
        strategy_type=strategy.strategy_type or "",
        exchange=strategy.exchange or "",
        trading_pair=strategy.trading_pair or "",
        account=strategy.account or "",
        config=strategy.config or {},
    )
