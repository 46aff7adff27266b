"""A saved plan comes back exactly, holds no secrets, and is refused when its world has moved."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from reconciler.errors import PlanStale, ReconcilerError
from reconciler.model.change import Plan
from reconciler.model.spec import StrategySpec, Suspend
from reconciler.model.state import ObservedStrategy
from reconciler.plan.saved import dump, load, refuse_if_moved
from tests.support.plan_builders import entry, live, plan_for, seen, spec, with_config

CHANGED = with_config(bid_spread=Decimal("0.120"))


def plan(wanted: StrategySpec = CHANGED, *now: ObservedStrategy) -> Plan:
    return plan_for([wanted], seen(*(now or [live(spec())])), [entry(spec())])


def test_a_plan_comes_back_as_it_went() -> None:
    wanted = spec(
        "new",
        config={"a": Decimal("0.10"), "b": [1, {"c": None}], "d": Decimal("1E+40"), "e": 10**30, "f": True},
        suspend=Suspend("x", "2020-01-01T00:00:00Z"),
        labels={"desk": "ä"},
        ignore_drift=("config.a",),
    )
    saved = plan_for([wanted, CHANGED], seen(live(spec()), live(spec("z"), owner="x")), [entry(spec("gone"))])

    assert load(dump(saved)) == saved


def test_digits_are_kept() -> None:
    step = load(dump(plan())).changes[0].steps[0]

    assert step.config is not None
    assert repr(step.config["bid_spread"]) == "Decimal('0.120')"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff\xfe", b'{"format":"reconciler.saved-plan/1","plan":{}}']
)
def test_what_is_no_saved_plan_is_refused(data: bytes) -> None:
    with pytest.raises(ReconcilerError, match="not a saved plan, or it is damaged"):
        load(data)


def test_a_plan_that_was_cut_short_is_refused() -> None:
    with pytest.raises(ReconcilerError, match="damaged"):
        load(dump(plan())[:-20])


def test_another_version_is_named() -> None:
    with pytest.raises(ReconcilerError, match=r"'reconciler\.saved-plan/2'; this version reads") as caught:
        load(b'{"format":"reconciler.saved-plan/2"}')
    assert caught.value.fix == "make it again: reconciler plan --out FILE"


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (with_config(api_key="5f3a9c"), "config.api_key"),
        (with_config(deep=[{"password": "x"}]), "config.deep.0.password"),
    ],
)
def test_a_plan_with_a_secret_is_not_saved(wanted: StrategySpec, path: str) -> None:
    with pytest.raises(ReconcilerError, match=f"{path} of mm looks like a secret") as caught:
        dump(plan(wanted))
    assert "5f3a9c" not in str(caught.value)


def test_removing_a_secret_from_a_bot_is_not_saved_either() -> None:
    before = with_config(api_key="5f3a9c")

    with pytest.raises(ReconcilerError, match="looks like a secret"):
        dump(plan_for([spec()], seen(live(before)), [entry(before)]))


def test_an_unmoved_world_lets_a_saved_plan_pass() -> None:
    refuse_if_moved(load(dump(plan())), plan(CHANGED, live(spec(), seq=7, seen_at=9.0)))


def test_another_commit_refuses_it_and_says_which() -> None:
    newer = msgspec.structs.replace(plan(), commit="1111111111111111")

    with pytest.raises(PlanStale, match="made from commit 9f3c2ab00000, and 111111111111 is in force"):
        refuse_if_moved(plan(), newer)


@pytest.mark.parametrize(
    "now",
    [live(spec(), "paused"), live(with_config(bid_spread=5)), live(with_config(extra=1)), live(CHANGED)],
    ids=["state", "the field", "another field", "done already"],
)
def test_a_strategy_that_moved_refuses_it_and_is_named(now: ObservedStrategy) -> None:
    with pytest.raises(PlanStale, match=r"no longer as they were when the plan was made: mm$"):
        refuse_if_moved(plan(), plan(CHANGED, now))


def test_a_file_that_changed_in_the_working_tree_refuses_it() -> None:
    with pytest.raises(PlanStale):
        refuse_if_moved(plan(), plan(with_config(bid_spread=Decimal("0.2"))))


def test_what_the_plan_does_not_touch_may_move() -> None:
    refuse_if_moved(plan(), plan_for([CHANGED, spec("b")], seen(live(spec()), live(spec("z")))))


def test_many_that_moved_are_counted() -> None:
    names = [f"s{n}" for n in range(7)]
    saved = plan_for([spec(name) for name in names], seen())

    with pytest.raises(PlanStale, match="s0, s1, s2, s3, s4 and 2 more"):
        refuse_if_moved(saved, plan_for([], seen()))
