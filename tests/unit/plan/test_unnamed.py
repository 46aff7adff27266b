"""While a file cannot tell which strategies it holds, nothing counts as removed from Git."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.change import Action, Plan, Reason
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Desired, InventoryEntry, Observed
from reconciler.plan.planner import make_plan
from tests.support.plan_builders import COMMIT, FakeCatalog, entry, live, options, seen, spec, with_config


def plan_for(specs: Iterable[StrategySpec], view: Observed, known: InventoryEntry, *, unsure: bool) -> Plan:
    desired = Desired(COMMIT, "main", {one.key: one for one in specs}, unsure=unsure)
    return make_plan(desired, {view.target: view}, {known.key: known}, FakeCatalog(), options())


def test_what_no_file_names_is_left_alone() -> None:
    (found,) = plan_for([], seen(live(spec())), entry(spec()), unsure=True).changes

    assert (found.action, found.reason, found.steps) == (Action.BLOCKED, Reason.HELD, ())
    assert found.detail == "it may stand in a file that cannot be read"


def test_what_is_ours_and_gone_is_still_remembered() -> None:
    assert plan_for([], seen(), entry(spec()), unsure=True).forget == ()
    assert plan_for([], seen(), entry(spec()), unsure=False).forget == (spec().key,)


def test_what_files_do_name_goes_on() -> None:
    wanted = with_config(bid_spread=9)

    (found,) = plan_for([wanted], seen(live(spec())), entry(spec()), unsure=True).changes

    assert found.action is Action.UPDATE
