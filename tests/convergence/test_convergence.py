"""The main promise: whatever happens on the way, once it stops happening the bots become what Git says.

Hypothesis makes up histories of commits, changes by hand, lost and doubled messages, and processes killed in
mid-step; `RECONCILER_HISTORIES` sets how many (each of up to 40 events). Every history ends with quiet: then
a bounded number of passes must end in an empty plan, with no bot started twice and nothing of others touched.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reconciler.model.change import Action
from reconciler.model.spec import Key, StrategySpec, Wish
from reconciler.model.state import Lifecycle
from reconciler.protocol.canonical import spec_hash
from reconciler.protocol.messages import Command, encode
from reconciler.transport.base import Client
from reconciler.transport.memory import MemoryTransport
from tests.convergence.virtual_time import VirtualTimeLoop
from tests.convergence.world import World

HISTORIES = int(os.environ.get("RECONCILER_HISTORIES", "400"))
EVENTS = 40
PASSES = 8
"""Enough to wait out a bot in transit, look again after a timeout, and go on."""

steps_made = 0

names = st.sampled_from(["a", "b", "c"])
wishes = st.sampled_from(list(Wish))
spreads = st.sampled_from([Decimal("0.1"), Decimal("0.2"), Decimal("0.30")])
FOREIGN = "theirs"


def spec(name: str, wish: Wish, spread: Decimal) -> StrategySpec:
    config = {"bid_spread": spread, "ask_spread": spread, "order_amount": 1, "order_refresh_time": 30}
    return StrategySpec(name, "pure_market_making", "binance", "BTC-USDT", config, wish)


class History(RuleBasedStateMachine):
    basic = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self._folder = tempfile.TemporaryDirectory(prefix="convergence-")
        self.world = World(Path(self._folder.name), basic=self.basic)
        self.do(self.world.start_agent())
        self.do(self._hand("create", FOREIGN))

    def do(self, what):
        return self.loop.run_until_complete(what)

    async def _hand(self, op: str, name: str, **fields) -> None:
        """Somebody with another tool publishes a command of the given API."""
        link = MemoryTransport(self.world.hub, Client("hand"))
        await link.connect()
        if op == "create":
            config = {"bid_spread": 1, "ask_spread": 1, "order_amount": 1, "order_refresh_time": 30}
            fields = {"strategy_type": "pure_market_making", "exchange": "kraken", "trading_pair": "X-Y"}
            fields["config"] = config
        await link.publish(f"hummingbot/strategy/{op}", encode(Command(strategy_name=name, **fields)))
        await asyncio.sleep(1.0)
        await link.close()

    @invariant()
    def count(self) -> None:
        global steps_made  # noqa: PLW0603  (over all histories)
        steps_made += 1

    # -- Git

    @rule(name=names, wish=wishes, spread=spreads)
    def commit(self, name, wish, spread) -> None:
        self._commit(spec(name, wish, spread))

    def _commit(self, new: StrategySpec) -> None:
        self.world.specs[new.key] = new
        self.world.commits += 1

    @rule(name=names)
    def commit_a_removal(self, name) -> None:
        self.world.specs.pop(Key("default", name), None)
        self.world.commits += 1

    @rule(name=names, field=st.sampled_from(["order_levels", "hanging_orders_enabled"]))
    def commit_one_more_field(self, name, field) -> None:
        old = self.world.specs.get(Key("default", name))
        if old is not None:
            value = {"order_levels": 3, "hanging_orders_enabled": True}[field]
            self._commit(msgspec.structs.replace(old, config={**old.config, field: value}))

    @rule(name=names, pair=st.sampled_from(["BTC-USDT", "ETH-USDT"]))
    def commit_another_pair(self, name, pair) -> None:
        old = self.world.specs.get(Key("default", name))
        if old is not None:
            self._commit(msgspec.structs.replace(old, trading_pair=pair))

    # -- by hand

    @rule(name=names)
    def stop_by_hand(self, name) -> None:
        self.do(self._stop_by_hand(name))

    async def _stop_by_hand(self, name: str) -> None:
        runner = self.world.runner
        if runner is not None and name in runner.up and self.world.running()[name].state is Lifecycle.RUNNING:
            runner.stop_by_hand(name)

    @rule(name=names, spread=spreads)
    def change_by_hand(self, name, spread) -> None:
        if self.world.agent is not None:
            self.do(self._hand("update", name, config={"bid_spread": spread}))

    @rule(name=names)
    def delete_by_hand(self, name) -> None:
        if self.world.agent is not None:
            self.do(self._hand("stop", name))
            self.do(self._hand("delete", name))

    # -- faults

    @rule(lose=st.sampled_from([0.0, 0.5, 1.0]), double=st.sampled_from([0.0, 0.5]))
    def lose_and_double_answers(self, lose, double) -> None:
        self.world.faults.lose, self.world.faults.double = lose, double

    @rule(delay_s=st.sampled_from([0.0, 1.0, 5.0]), reorder=st.sampled_from([0.0, 0.5]))
    def delay_and_reorder_answers(self, delay_s, reorder) -> None:
        self.world.faults.delay_s, self.world.faults.reorder = delay_s, reorder

    @rule(silent=st.sampled_from([0.0, 0.3]))
    def hold_statuses_back(self, silent) -> None:
        self.world.faults.silent = silent

    @rule()
    def kill_the_agent(self) -> None:
        self.do(self.world.kill_agent())

    @rule()
    def start_the_agent(self) -> None:
        self.do(self.world.start_agent())

    @rule()
    def cut_the_line(self) -> None:
        self.do(self._cut_the_line())

    async def _cut_the_line(self) -> None:
        if self.world.link is not None and self.world.live is not None and self.world.link.connected:
            self.world.link.drop()

    @rule()
    def mend_the_line(self) -> None:
        self.do(self._mend_the_line())

    async def _mend_the_line(self) -> None:
        if self.world.link is not None and self.world.live is not None and not self.world.link.connected:
            self.world.link.restore()

    @rule()
    def restart_the_reconciler(self) -> None:
        self.do(self.world.kill_reconciler())

    @rule()
    def lose_the_store(self) -> None:
        if not self.basic:  # a Basic peer echoes no owner: without a store its strategies are somebody else's
            self.do(self.world.lose_store())

    # -- passes

    @rule()
    def make_a_pass(self) -> None:
        self.do(self._pass())

    async def _pass(self) -> None:
        if self.world.link is not None and self.world.live is not None and not self.world.link.connected:
            return
        await self.world.make_pass()

    @rule(after_s=st.sampled_from([0.001, 0.2, 0.5, 1.0, 2.5, 6.2]))
    def be_killed_in_a_pass(self, after_s) -> None:
        self.do(self.world.killed_pass(after_s))

    @rule(name=names, after_s=st.sampled_from([0.0, 0.1, 0.4]))
    def kill_the_agent_in_a_pass(self, name, after_s) -> None:
        self.do(self._agent_dies_in_a_pass(after_s))

    async def _agent_dies_in_a_pass(self, after_s: float) -> None:
        task = asyncio.ensure_future(self._pass())
        await asyncio.sleep(after_s)
        await self.world.kill_agent()
        await task

    # -- what must hold

    @invariant()
    def no_bot_is_started_twice(self) -> None:
        assert not self.world.doubled

    @invariant()
    def what_is_not_ours_is_left_alone(self) -> None:
        assert FOREIGN not in self.world.deleted
        if self.world.agent is not None and FOREIGN in self.world.running():
            assert self.world.running()[FOREIGN].config["bid_spread"] == 1

    def teardown(self) -> None:
        try:
            self.do(self._quiet())
        finally:
            self.do(self.world.close())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
            self._folder.cleanup()

    async def _quiet(self) -> None:
        """Nothing happens any more: the bots must become what Git says, and stay so."""
        world = self.world
        faults = world.faults
        faults.lose = faults.double = faults.delay_s = faults.reorder = faults.silent = 0.0
        await world.start_agent()
        await self._mend_the_line()
        await world.start_reconciler()
        for _ in range(PASSES):
            await asyncio.sleep(10.0)
            report = await world.make_pass()
            if not report.plan.acting:
                break
        await asyncio.sleep(10.0)
        plan = world.plan()
        assert not plan.acting, plan.acting
        assert all(change.action is Action.UNMANAGED for change in plan.changes if not self.basic), (
            plan.changes
        )
        self._compare()

    def _compare(self) -> None:
        live = self.world.running()
        assert live.keys() - {FOREIGN} == {key.name for key in self.world.specs}
        for key, wanted in self.world.specs.items():
            strategy = live[key.name]
            assert strategy.state.value == wanted.state.value, strategy
            assert strategy.own_hash == spec_hash(wanted), strategy


class BasicHistory(History):
    basic = True


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("machine", [History, BasicHistory], ids=["extended", "basic"])
def test_any_history_ends_with_the_bots_as_git_says(machine) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=EVENTS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_enough_was_tried() -> None:
    """Runs after the machines, in the same process: 400 histories each make well over 10,000 events."""
    if not steps_made:
        pytest.skip("the machines ran in another process")
    print(f"{steps_made} random events")
    assert steps_made >= min(10_000, HISTORIES * 10)
