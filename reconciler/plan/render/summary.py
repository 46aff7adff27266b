"""A plan in numbers: how many of what, as a sentence and as an exit code. Pure."""

from __future__ import annotations

from collections import Counter

from reconciler.errors import ExitCode
from reconciler.model.change import Action, Plan

_WORDS = {
    Action.CREATE: ("create", "to create"),
    Action.UPDATE: ("update", "to update"),
    Action.REPLACE: ("replace", "to replace"),
    Action.DELETE: ("delete", "to delete"),
    Action.START: ("start", "to start"),
    Action.RESUME: ("resume", "to resume"),
    Action.PAUSE: ("pause", "to pause"),
    Action.STOP: ("stop", "to stop"),
    Action.BLOCKED: ("blocked", "blocked"),
    Action.WAIT: ("waiting", "waiting"),
    Action.UNKNOWN: ("unknown", "unknown"),
    Action.UNMANAGED: ("unmanaged", "unmanaged"),
}
"""What each action is called in JSON, and in the sentence at the end of a plan; in the order of both."""


def word(action: Action) -> str:
    """The action's name for programs: `create`, `waiting`, …"""
    return _WORDS[action][0]


def counts(plan: Plan) -> dict[str, int]:
    """How many changes of each kind, zeros included, and how many strategies need none."""
    number = Counter(change.action for change in plan.changes)
    return {**{name: number[action] for action, (name, _) in _WORDS.items()}, "unchanged": plan.unchanged}


def sentence(plan: Plan) -> str:
    """Such as `1 to create, 2 blocked, 12 unchanged`; `nothing to do` where nothing acts."""
    number = Counter(change.action for change in plan.changes)
    parts = [f"{number[action]} {phrase}" for action, (_, phrase) in _WORDS.items() if number[action]]
    start = [] if plan.acting else ["nothing to do"]
    return ", ".join([*start, *parts, f"{plan.unchanged} unchanged"])


def exit_code(plan: Plan) -> ExitCode:
    """0: Git and bots agree, or what differs is blocked on purpose. 2: something is to be done, or under way.
    4: some of it cannot be seen, so that the rest may not be all.
    """
    actions = {change.action for change in plan.changes}
    if Action.UNKNOWN in actions or not all(target.connected for target in plan.targets):
        return ExitCode.UNKNOWN
    if plan.acting or Action.WAIT in actions:
        return ExitCode.CHANGES
    return ExitCode.OK
