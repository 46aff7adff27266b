"""Faults: how they are asked for, and what they do."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from reconciler.agent.faults import Faults, Meddler, drift, parse_faults, torment
from reconciler.agent.responses import Refusal
from reconciler.agent.simulated.market import RandomWalk
from reconciler.errors import SettingsError
from reconciler.model.change import Op
from reconciler.model.spec import Config
from reconciler.model.state import Lifecycle
from tests.support.agent_builders import CONFIG, command, strategy


class Victim:
    """A runner that notes what is done to its bots."""

    def __init__(self) -> None:
        self.crashed: list[str] = []
        self.stopped: list[str] = []
        self.configs: list[Config] = []

    def crash(self, name: str) -> None:
        self.crashed.append(name)

    def stop_by_hand(self, name: str) -> None:
        self.stopped.append(name)

    def configure_by_hand(self, name: str, config: Config) -> None:
        self.configs.append(config)


def meddler(**faults: Any) -> Meddler:
    return Meddler(Faults(**faults), random.Random(7))


def test_faults_are_read_from_text() -> None:
    faults = parse_faults({"lose": "0.2", "delay_s": "1.5", "refuse": "bid_spread, leverage"})

    assert faults == Faults(lose=0.2, delay_s=1.5, refuse=frozenset({"bid_spread", "leverage"}))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("loose", "0.2", "there is no fault 'loose'"),
        ("lose", "often", "a chance from 0 to 1"),
        ("lose", "1.5", "a chance from 0 to 1"),
        ("lose", "nan", "a chance from 0 to 1"),
        ("delay_s", "-1", "a number of seconds"),
        ("delay_s", "inf", "a number of seconds"),
    ],
)
def test_a_fault_that_cannot_be_is_said_clearly(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        parse_faults({name: text})
    assert caught.value.fix


def test_without_faults_an_answer_goes_out_once_and_at_once() -> None:
    assert [meddler().delays_s() for _ in range(50)] == [[0.0]] * 50
    assert not meddler().withholds()


def test_answers_are_lost_doubled_and_delayed() -> None:
    assert meddler(lose=1.0).delays_s() == []
    assert len(meddler(double=1.0).delays_s()) == 2
    assert 0.0 < meddler(delay_s=2.0).delays_s()[0] < 2.0
    assert len(set(meddler(reorder=1.0, double=1.0).delays_s())) == 1
    assert meddler(reorder=1.0).delays_s()[0] > 0.0


def test_a_refused_field_is_refused_as_a_real_one_would() -> None:
    with pytest.raises(Refusal) as caught:
        meddler(refuse=frozenset({"bid_spread"})).objects(command(Op.UPDATE))

    assert caught.value.code == "INVALID_CONFIG"
    assert caught.value.details["field"] == "bid_spread"


def test_an_ignored_field_stays_as_it_was() -> None:
    before = strategy()
    after = before.configured({**CONFIG, "bid_spread": Decimal(3), "ask_spread": Decimal(4)})

    really = meddler(ignore=frozenset({"bid_spread"})).tampers(before, after)

    assert really.config == {**CONFIG, "ask_spread": Decimal(4)}
    assert really.spec_hash == really.own_hash


def test_only_what_runs_is_tormented() -> None:
    strategies = {s.name: s for s in (strategy(Lifecycle.RUNNING), strategy(name="idle"))}
    victim = Victim()

    torment(strategies, victim, Faults(crash=1.0), random.Random(1))

    assert victim.crashed == ["mm"]


def test_drift_stops_a_bot_or_changes_one_of_its_numbers() -> None:
    victim = Victim()

    for seed in range(20):
        drift(strategy(Lifecycle.RUNNING), victim, random.Random(seed))

    assert victim.stopped
    assert victim.configs
    assert all(sum(config[name] != CONFIG[name] for name in CONFIG) == 1 for config in victim.configs)


def test_tight_spreads_trade_more() -> None:
    def fills(spread: str) -> int:
        walk = RandomWalk({"bid_spread": Decimal(spread), "ask_spread": Decimal(spread)}, random.Random(3))
        return sum(walk.advance(5.0) for _ in range(200))

    assert fills("0.1") > 2 * fills("0.8")


def test_profit_is_what_was_realized_and_what_is_open_less_fees() -> None:
    walk = RandomWalk(CONFIG, random.Random(3))
    for _ in range(100):
        walk.advance(5.0)

    figures = walk.figures("mm", "2026-11-23T05:00:00Z", "binance", "BTC-USDT")

    parts = (
        figures.realized_pnl_quote,
        figures.unrealized_pnl_quote,
        figures.net_pnl_quote,
        figures.fees_quote,
    )
    realized, unrealized, net, fees = (Decimal(part or 0) for part in parts)
    assert fees > 0
    assert abs(realized + unrealized - fees - net) <= Decimal("0.00000003")
