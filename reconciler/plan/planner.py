"""
Desired × Observed × inventory → Plan: one Change for each strategy that is not what Git says.

Rule 1: no clock, file or socket: the same input gives the same plan, in whatever order it comes.
Rule 2: a strategy that we cannot see gets no step.
Rule 3: what lowers risk comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.change import Plan, TargetSummary
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Inventory, Observed
from reconciler.plan.digest import digest_of_all
from reconciler.plan.existing import CatalogView
from reconciler.plan.order import apply_order, waves
from reconciler.plan.rows import PlanOptions, Rows

__all__ = ["CatalogView", "PlanOptions", "apply_order", "make_plan", "waves"]


def make_plan(  # noqa: PLR0913  (the four sides of a plan, how to make it, and how much of it)
    desired: Desired,
    observed: Mapping[str, Observed],
    inventory: Inventory,
    catalog: CatalogView,
    options: PlanOptions,
    *,
    only: frozenset[Key] | None = None,
) -> Plan:
    """Work out the one change that each strategy needs to become what `desired` says.

    `observed`: by target. `only`: look at these strategies and no others.
    """
    rows = Rows(desired, observed, inventory, catalog, options)
    keys = _all_keys(desired, observed, inventory) if only is None else only
    found = [change for change in map(rows.change, keys) if change is not None]
    changes = tuple(sorted(found, key=apply_order))
    wanted = len(desired.specs) if only is None else len(only & desired.specs.keys())
    return Plan(
        commit=desired.commit,
        ref=desired.ref,
        changes=changes,
        unchanged=wanted - sum(change.key in desired.specs for change in changes),
        targets=tuple(_summary(observed[target]) for target in sorted(observed)),
        live_digest=digest_of_all(change for change in changes if change.action.acts),
        forget=tuple(sorted(filter(rows.is_gone, inventory if only is None else only))),
    )


def _all_keys(desired: Desired, observed: Mapping[str, Observed], inventory: Inventory) -> dict[Key, None]:
    """Every strategy that anybody names, once. In the order of Git, in which memory is read twice as fast."""
    keys = dict.fromkeys(desired.specs)
    keys.update(dict.fromkeys(desired.held))
    keys.update(dict.fromkeys(inventory))
    for target, view in observed.items():
        keys.update((Key(target, name), None) for name in view.strategies)
    return keys


def _summary(view: Observed) -> TargetSummary:
    return TargetSummary(
        view.target, len(view.strategies), view.connected, view.complete, view.extended, view.age_s
    )
