"""Every pair of the tables, and the order of application."""

from __future__ import annotations

import pytest

from reconciler.model.change import Action, Op
from reconciler.model.spec import Wish
from reconciler.model.state import Lifecycle
from reconciler.plan import transitions
from reconciler.plan.order import waves
from tests.support.plan_builders import CONFIG, entry, live, plan_for, seen, spec

LIFECYCLES = tuple(Lifecycle)
WISHES = tuple(Wish)


# The tables.


@pytest.mark.parametrize(
    "table",
    [transitions.MOVE, transitions.UPDATE_HOT, transitions.UPDATE_RESTART, transitions.RECREATE],
    ids=["move", "hot", "restart", "recreate"],
)
def test_every_pair_of_a_table_leads_to_the_wish(table: transitions.Table) -> None:
    for state in LIFECYCLES:
        for wish in WISHES:
            commands = table[state, wish]
            if commands is transitions.WAIT:
                assert state in {Lifecycle.STARTING, Lifecycle.STOPPING}
                assert (state, wish) != (Lifecycle.STARTING, Wish.STOPPED)
            else:
                assert _walk(state, commands) == wish.value
                if table is transitions.UPDATE_RESTART:
                    assert _updates_at_rest(state, commands)
    assert len(table) == len(LIFECYCLES) * len(WISHES)


def test_deletion_knows_every_state_and_never_drops_a_bot_that_may_hold_orders() -> None:
    for state in LIFECYCLES:
        commands = transitions.DELETE[state]
        assert commands is transitions.WAIT or _walk(state, commands) == "gone"


AFTER = {
    (Op.STOP, "running"): "stopped",
    (Op.STOP, "paused"): "stopped",
    (Op.STOP, "starting"): "stopped",
    (Op.STOP, "error"): "stopped",
    (Op.PAUSE, "running"): "paused",
    (Op.RESUME, "paused"): "running",
    (Op.START, "stopped"): "running",
    (Op.DELETE, "stopped"): "gone",
    (Op.CREATE, "gone"): "stopped",
    (Op.UPDATE, "running"): "running",
    (Op.UPDATE, "paused"): "paused",
    (Op.UPDATE, "stopped"): "stopped",
}


def _walk(state: Lifecycle, commands: transitions.Ops) -> str:
    at = state.value
    for op in commands:
        at = AFTER[op, at]
    return at


def _updates_at_rest(state: Lifecycle, commands: transitions.Ops) -> bool:
    return _walk(state, commands[: commands.index(Op.UPDATE)]) == "stopped"


# Order.


def test_what_lowers_risk_comes_first_whatever_its_wave() -> None:
    removed = [spec("del-0"), spec("del-9", wave=9)]
    wanted = [
        spec("new-0"),
        spec("new-1", wave=1),
        spec("stop-1", wave=1, state=Wish.STOPPED),
        spec("pause-0", state=Wish.PAUSED),
        spec("pair-0", trading_pair="ETH-USDT"),
        spec("edit-0", config={**CONFIG, "bid_spread": 1}),
        spec("start-0"),
    ]
    now = [live(one) for one in removed]
    now += [live(spec(name)) for name in ("stop-1", "pause-0", "pair-0", "edit-0")]
    now += [live(spec("start-0"), "stopped")]

    plan = plan_for(wanted, seen(*now), [entry(spec(one.name, wave=one.wave)) for one in removed])

    assert [[change.name for change in wave] for wave in waves(plan)] == [
        ["del-9"],
        ["stop-1"],
        ["pause-0", "del-0"],
        ["pair-0", "edit-0", "new-0", "start-0"],
        ["new-1"],
    ]
    assert [change for wave in waves(plan) for change in wave] == list(plan.acting)


def test_what_does_not_act_stands_last() -> None:
    plan = plan_for([spec("new")], seen(live(spec("foreign"), owner="x")))

    assert [change.action for change in plan.changes] == [Action.CREATE, Action.UNMANAGED]
