"""What holds for all plans, over random fleets and a peer that does exactly what commands say."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Action, Op
from reconciler.model.spec import StrategySpec, Suspend, Wish
from reconciler.model.state import Lifecycle
from reconciler.plan.order import apply_order
from tests.support.peer_model import PerfectPeer
from tests.support.plan_builders import entry, live, plan_for, seen, spec

LIFECYCLES = tuple(Lifecycle)
WISHES = tuple(Wish)
NAMES = ("a", "b", "c")
SPREADS = st.sampled_from([1, 2])
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "trading_pair": st.sampled_from(["BTC-USDT", "ETH-USDT"]),
        "state": st.sampled_from(WISHES),
        "wave": st.integers(0, 2),
        "protect": st.booleans(),
        "adopt": st.booleans(),
        "suspend": st.sampled_from([None, Suspend("why")]),
        "ignore_drift": st.sampled_from([(), ("config.bid_spread",)]),
    },
)
CONFIGS = st.fixed_dictionaries({"bid_spread": SPREADS, "leverage": SPREADS}, optional={"extra": SPREADS})


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[StrategySpec], PerfectPeer]:
    """Git, bots and memory of three strategies, in any combination."""
    peer = PerfectPeer(basic=draw(st.booleans()))
    wanted = []
    for name in NAMES:
        if draw(st.booleans()):
            wanted.append(spec(name, config=draw(CONFIGS), **draw(ENVELOPES)))
        if draw(st.booleans()):
            before = spec(name, config=draw(CONFIGS), **draw(ENVELOPES))
            owner = {} if peer.basic else {"owner": draw(st.sampled_from(["our-mark", "other", None]))}
            peer.strategies[name] = live(before, draw(st.sampled_from(LIFECYCLES)), basic=peer.basic, **owner)
        if draw(st.booleans()):
            before = spec(name, config=draw(CONFIGS), **draw(ENVELOPES))
            peer.inventory[name] = entry(before, retry=draw(st.booleans()))
    return wanted, peer


@given(worlds())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    world: tuple[list[StrategySpec], PerfectPeer],
) -> None:
    wanted, peer = world
    for _ in range(2):  # what is on its way is waited for once
        peer.carry_out(plan_for(wanted, peer.observe(), peer.inventory.values()))
        peer.settle()

    final = plan_for(wanted, peer.observe(), peer.inventory.values())

    assert [
        change.action for change in final.changes if change.action.acts or change.action is Action.WAIT
    ] == []


@given(
    worlds(), st.sampled_from([{"connected": False}, {"complete": False}, {"unbelievable": frozenset(NAMES)}])
)
def test_nothing_unseen_ever_gets_a_step(
    world: tuple[list[StrategySpec], PerfectPeer], blind: dict[str, Any]
) -> None:
    wanted, peer = world
    view = seen(*([] if "complete" in blind else peer.strategies.values()), extended=not peer.basic, **blind)

    assert plan_for(wanted, view, peer.inventory.values(), adopt=True).acting == ()


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    world: tuple[list[StrategySpec], PerfectPeer], chance: random.Random
) -> None:
    wanted, peer = world
    plan = plan_for(wanted, peer.observe(), peer.inventory.values())
    specs, now, memory = list(wanted), list(peer.strategies.values()), list(peer.inventory.values())
    chance.shuffle(specs)
    chance.shuffle(now)
    chance.shuffle(memory)

    assert plan_for(specs, seen(*now, extended=not peer.basic), memory) == plan


@given(worlds())
def test_a_change_is_in_order_and_says_why(world: tuple[list[StrategySpec], PerfectPeer]) -> None:
    wanted, peer = world
    plan = plan_for(wanted, peer.observe(), peer.inventory.values())

    assert list(plan.changes) == sorted(plan.changes, key=apply_order)
    for found in plan.changes:
        commands = [step.op for step in found.steps]
        assert bool(commands) == found.action.acts == bool(found.live_digest)
        assert len(commands) == len(set(commands))
        assert commands == sorted(commands, key=_NATURAL_ORDER[Op.PAUSE in commands[:1]].index)


_NATURAL_ORDER = {
    False: [Op.STOP, Op.DELETE, Op.CREATE, Op.UPDATE, Op.START, Op.RESUME, Op.PAUSE],
    True: [Op.PAUSE, Op.UPDATE],
}
