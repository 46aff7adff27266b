"""
In which order changes are applied, and which run together. Pure.

Rule 1: what lowers risk (stop, pause, delete) comes before all else, wave by wave from the last to the first,
as one takes down what one has built up. It has groups of its own, so that no unhealthy wave holds it back.
Rule 2: the rest follows wave by wave from the first: replace, update, create, start, resume.
Rule 3: what has no steps stands last. The same changes always give the same order.
"""

from __future__ import annotations

from itertools import groupby

from reconciler.model.change import Action, Change, Plan

LOWERS_RISK = frozenset({Action.STOP, Action.PAUSE, Action.DELETE})

_RANK = {action: rank for rank, action in enumerate(Action)}


def apply_order(change: Change) -> tuple[int, int, int, str, str]:
    """Sort key: group, then what is done, then the name."""
    return (*_group(change), _RANK[change.action], change.target, change.name)


def _group(change: Change) -> tuple[int, int]:
    if change.action in LOWERS_RISK:
        return (0, -change.wave)
    if change.action.acts:
        return (1, change.wave)
    return (2, 0)


def waves(plan: Plan) -> list[list[Change]]:
    """The changes that act, in groups: one group after the other, the changes of a group concurrently."""
    acting = sorted(plan.acting, key=apply_order)
    return [list(group) for _, group in groupby(acting, key=_group)]
