"""What every history stands on: a world, its clock, and what must hold at each moment and in the end."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from reconciler.agent.faults import Faults
from reconciler.model.change import Action, Change, Reason
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Lifecycle
from reconciler.protocol.canonical import spec_hash
from tests.convergence.virtual_time import VirtualTimeLoop
from tests.convergence.world import FOREIGN, THEIR_CONFIG, World, key_of

PASSES = 8
"""Enough to wait out a bot in transit, look again after a timeout, and go on."""

T = TypeVar("T")

events_made = 0


class Stage(RuleBasedStateMachine):
    """A history's world. `basic`: the reconciler treats the agent as a Basic peer."""

    basic = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.broken: list[str] = []
        self.loop.set_exception_handler(self._breaks)
        self._folder = tempfile.TemporaryDirectory(prefix="convergence-")
        self.world = World(Path(self._folder.name), basic=self.basic)
        self.do(self.world.host.start())
        self.do(self.world.hand_makes_theirs())
        self.world.ledger.close()

    def _breaks(self, loop: object, context: dict[str, Any]) -> None:
        """Something failed with nobody to hear of it. What a killed process still tries with its store is no part."""
        del loop
        if not isinstance(context.get("exception"), sqlite3.ProgrammingError):
            self.broken.append(repr(context))

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def now(self, what: Callable[[], None]) -> None:
        """Do it within the loop, and let what follows at once follow."""

        async def do() -> None:
            what()
            await asyncio.sleep(0.01)

        self.do(do())

    # At each moment.

    @invariant()
    def the_promise_holds(self) -> None:
        global events_made  # noqa: PLW0603  (over all histories)
        events_made += 1
        assert not self.world.ledger.wrong, self.world.ledger.wrong
        assert not self.broken, self.broken
        self.world.host.check()
        self._theirs_is_left_alone()

    def _theirs_is_left_alone(self) -> None:
        if self.world.foreign_lives and self.world.host.agent is not None:
            theirs = self.world.host.strategies[FOREIGN]
            assert theirs.config == THEIR_CONFIG, theirs
            assert theirs.state in {Lifecycle.RUNNING, Lifecycle.STARTING}, theirs

    # In the end.

    def teardown(self) -> None:
        try:
            self.do(self.quiet())
            self.do(self._nothing_more())
        finally:
            self.do(self.world.close())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
            self._folder.cleanup()

    async def quiet(self) -> None:
        """Nothing happens any more: the bots must become what Git says, and stay so."""
        await self._calm()
        controller, desired = self.world.controller, self.world.git.desired()
        for _ in range(PASSES):
            await controller.idle(10.0)
            report = await controller.make_pass(desired)
            assert report is not None
            if not report.plan.acting:
                break
        await controller.idle(10.0)
        plan = controller.plan(desired)
        assert not plan.acting, plan.acting
        for change in plan.changes:
            assert self._is_to_stay(change), change
        self._compare()
        assert not self.world.ledger.wrong, self.world.ledger.wrong
        self.world.ledger.close()

    async def _calm(self) -> None:
        world = self.world
        world.weather.calm()
        faults, calm = world.host.faults, Faults()
        for name in calm.__struct_fields__:
            setattr(faults, name, getattr(calm, name))
        world.git.held.clear()
        world.git.unsure = False
        if (
            world.ghost is not None
        ):  # whichever of the two was fenced out, a person restarts the one that is to stay
            await world.end_ghost()
            await world.controller.kill()
        await world.host.start()
        world.host.mend()
        await world.controller.start()
        world.controller.mend()

    def _is_to_stay(self, change: Change) -> bool:
        """Whether a row of a plan that has nothing left to do may be there."""
        if self.basic and change.action is Action.UNKNOWN:
            return change.desired is None  # a Basic peer never proves that what it had is gone
        if change.name == FOREIGN:
            return change.action in {Action.UNMANAGED, Action.BLOCKED}
        if self._is_nobodys(change.name):
            return change.reason in {Reason.NOT_OURS, Reason.NOT_OURS_UNMANAGED}
        killed = change.name in self.world.ledger.killed
        return change.action is Action.BLOCKED and change.reason is Reason.BOT_ERROR and killed

    def _is_nobodys(self, name: str) -> bool:
        """Whether nothing says any more whose it is: it was created while nothing was heard of the agent, so by a
        command that named no owner, and then the store was lost.
        """
        strategy, store = self.world.host.strategies.get(name), self.world.controller.store
        assert store is not None
        unnamed = strategy is not None and (strategy.echo is None or not strategy.echo.owner)
        return unnamed and not self.basic and key_of(name) not in store.inventory()

    def _compare(self) -> None:
        live = self.world.host.strategies
        left = {FOREIGN, *filter(self._is_nobodys, live)}
        wanted = {key.name: spec for key, spec in self.world.git.specs.items() if key.name not in left}
        assert live.keys() - left == wanted.keys(), (live, wanted)
        assert (FOREIGN in live) is self.world.foreign_lives, live
        for name, spec in wanted.items():
            self._compare_one(name, spec)

    def _compare_one(self, name: str, spec: StrategySpec) -> None:
        ledger, strategy = self.world.ledger, self.world.host.strategies[name]
        if strategy.state is Lifecycle.ERROR:
            assert name in ledger.killed, strategy
            return
        assert name not in ledger.killed or name in ledger.pardoned or spec.state.value == "stopped", strategy
        assert strategy.state.value == spec.state.value, strategy
        assert strategy.own_hash == spec_hash(spec), strategy
        assert (name in ledger.up) is (spec.state.value != "stopped"), strategy

    async def _nothing_more(self) -> None:
        """All is as it should be: now nothing that can happen to processes and lines may move a bot."""
        world = self.world
        before = list(world.ledger.effects)
        await world.host.kill(bots_live_on=True)
        await world.controller.kill()
        await world.restart_broker(remembers=False, agent_first=True)
        await world.host.start()
        await self._one_more_pass()
        await world.restart_broker(remembers=False, agent_first=False)
        await self._one_more_pass()
        assert world.ledger.effects == before, world.ledger.effects[len(before) :]

    async def _one_more_pass(self) -> None:
        await self.world.controller.idle(10.0)
        report = await self.world.controller.make_pass(self.world.git.desired())
        assert report is not None
        assert not report.plan.acting, report.plan.acting
        await asyncio.sleep(10.0)
