"""Single passes over the real agent, in virtual time: waves, brakes, leaving in the middle, losing the store."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from reconciler.agent.faults import Faults
from reconciler.model.change import Op
from reconciler.model.report import Outcome, SyncReport
from reconciler.model.spec import StrategySpec, Wish
from tests.convergence.controller import SYNC, Controller
from tests.convergence.virtual_time import VirtualTimeLoop
from tests.convergence.world import World

T = TypeVar("T")


class Stage:
    """A world that tests drive step by step."""

    def __init__(self, folder: Path) -> None:
        self.loop = VirtualTimeLoop()
        self.world = World(folder, basic=False)
        self.do(self.world.host.start())

    @property
    def controller(self) -> Controller:
        return self.world.controller

    @property
    def faults(self) -> Faults:
        return self.world.host.faults

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def want(self, *specs: StrategySpec) -> None:
        self.world.git.specs = {spec.key: spec for spec in specs}
        self.world.git.commits += 1

    def sync(self, **changes: Any) -> SyncReport:
        """One pass, with other settings of `sync` or another `stop`."""
        self.controller.stop = changes.pop("stop", asyncio.Event())
        self.controller.sync = msgspec.structs.replace(SYNC, **changes)
        report = self.do(self.controller.make_pass(self.world.git.desired()))
        assert report is not None
        return report

    def inventory(self) -> set[str]:
        assert self.controller.store is not None
        return {key.name for key in self.controller.store.inventory()}

    def states(self) -> dict[str, str]:
        return {name: strategy.state.value for name, strategy in self.world.host.strategies.items()}

    def starts(self, name: str) -> int:
        return self.world.ledger.starts[name]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.do(stage.world.close())
    stage.loop.close()


def spec(name: str, **more: Any) -> StrategySpec:
    config = {"bid_spread": Decimal("0.1"), "ask_spread": 1, "order_amount": 1, "order_refresh_time": 30}
    return StrategySpec(
        name, "pure_market_making", "binance", "BTC-USDT", config | more.pop("config", {}), **more
    )


def outcomes(report: SyncReport) -> dict[str, Outcome]:
    return {result.change.name: result.outcome for result in report.results}


def test_the_next_wave_waits_for_a_healthy_one(stage: Stage) -> None:
    stage.faults.refuse = frozenset({"ping_pong_enabled"})
    stage.want(spec("first", config={"ping_pong_enabled": True}), spec("second", wave=1))

    report = stage.sync()

    assert outcomes(report) == {"first": Outcome.FAILED, "second": Outcome.SKIPPED}
    assert stage.states() == {}


def test_within_a_wave_a_strategy_fails_alone(stage: Stage) -> None:
    stage.faults.refuse = frozenset({"ping_pong_enabled"})
    stage.want(spec("bad", config={"ping_pong_enabled": True}), spec("good"))

    assert outcomes(stage.sync()) == {"bad": Outcome.FAILED, "good": Outcome.CONFIRMED}


def test_a_refused_create_is_not_ours_afterwards(stage: Stage) -> None:
    stage.faults.refuse = frozenset({"ping_pong_enabled"})
    stage.want(spec("bad", config={"ping_pong_enabled": True}))
    stage.sync()

    assert stage.inventory() == set()


def test_a_brake_holds_deletes_but_not_stops(stage: Stage) -> None:
    stage.want(spec("a"), spec("b"))
    stage.sync()
    stage.want(spec("b", state=Wish.STOPPED))

    report = stage.sync(max_deletes=0)

    assert "reconciler apply --max-deletes 1" in report.refused
    assert stage.states() == {"a": "running", "b": "stopped"}


def test_asked_to_leave_it_sends_nothing_more(stage: Stage) -> None:
    stage.want(spec("a"), spec("b"))
    leaving = asyncio.Event()
    leaving.set()

    report = stage.sync(stop=leaving)

    assert set(outcomes(report).values()) == {Outcome.SKIPPED}
    assert stage.states() == {}


def test_lost_answers_cost_time_but_no_second_start(stage: Stage) -> None:
    stage.faults.lose = 1.0
    stage.want(spec("a"))

    assert outcomes(stage.sync()) == {"a": Outcome.CONFIRMED}
    assert stage.starts("a") == 1


def test_held_back_statuses_are_waited_for(stage: Stage) -> None:
    stage.faults.silent = 1.0
    stage.want(spec("a"))
    for _ in range(4):
        stage.sync()

    assert stage.states() == {"a": "running"}
    assert stage.starts("a") == 1


def test_a_lost_store_is_learned_again_from_what_the_agent_echoes(stage: Stage) -> None:
    stage.want(spec("a"), spec("b", state=Wish.PAUSED))
    stage.sync()
    stage.do(stage.controller.lose_store())

    report = stage.sync()

    assert not report.plan.changes
    assert stage.inventory() == {"a", "b"}


def test_an_agent_that_is_gone_gets_no_command(stage: Stage) -> None:
    stage.want(spec("a"))
    stage.sync()
    stage.do(stage.world.host.kill())
    stage.want(spec("a", config={"bid_spread": 2}))

    assert stage.sync().results == ()


def test_every_step_of_a_replacement_is_confirmed_before_the_next(stage: Stage) -> None:
    stage.want(spec("a"))
    stage.sync()
    stage.want(msgspec.structs.replace(spec("a"), trading_pair="ETH-USDT"))

    (result,) = stage.sync().results

    assert [step.op for step in result.steps] == [Op.STOP, Op.DELETE, Op.CREATE, Op.START]
    assert {step.outcome for step in result.steps} == {Outcome.CONFIRMED}
    assert stage.world.host.strategies["a"].trading_pair == "ETH-USDT"
