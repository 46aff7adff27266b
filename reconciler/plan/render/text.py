"""
Plan → lines for people, as plan.md shows them. Pure: width and colour are arguments.

A line is spans of text and style; the colours of a terminal are the last thing added (`to_text`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import groupby
from typing import TypeAlias

from reconciler.model.change import Action, Change, Cost, Op, Plan, Reason, TargetSummary
from reconciler.model.spec import DEFAULT_ACCOUNT, StrategySpec
from reconciler.plan.render.summary import sentence, word
from reconciler.plan.render.values import field_line, printable


class Style(StrEnum):
    """What a span of text is; the value is its ANSI colour (SGR parameters)."""

    PLAIN = ""
    TITLE = "1"
    GROWS = "32"
    CHANGES = "33"
    SHRINKS = "31"
    ALERT = "35"
    QUIET = "2"


Span: TypeAlias = tuple[str, Style]
Line: TypeAlias = tuple[Span, ...]

DEFAULT_WIDTH = 100

_STYLES = {
    Action.CREATE: Style.GROWS,
    Action.START: Style.GROWS,
    Action.RESUME: Style.GROWS,
    Action.UPDATE: Style.CHANGES,
    Action.REPLACE: Style.CHANGES,
    Action.DELETE: Style.SHRINKS,
    Action.STOP: Style.SHRINKS,
    Action.PAUSE: Style.SHRINKS,
    Action.BLOCKED: Style.ALERT,
    Action.UNKNOWN: Style.ALERT,
    Action.WAIT: Style.QUIET,
    Action.UNMANAGED: Style.QUIET,
}

_MANY = {Action.UNMANAGED: 1, Action.UNKNOWN: 10}
"""More than so many of a kind become one line with a count, unless `verbose`."""

_FEW = 40
"""Up to so many creations say what each of them trades; of more, a screen shows none anyhow."""

_NAMED = 3
_NAME_COLUMN = (15, 40)
"""Narrowest and widest column of names; a longer name pushes its own line only."""

_STEP_COLUMN = 24


def to_text(
    plan: Plan,
    *,
    width: int = DEFAULT_WIDTH,
    colour: bool = False,
    verbose: bool = False,
    tree: str = "strategies",
) -> str:
    """The plan as text that ends with a newline. `tree`: the folder that the strategies come from."""

    def painted(text: str, style: Style) -> str:
        return f"\x1b[{style.value}m{text}\x1b[0m" if colour and style.value else text

    shown = lines(plan, width=width, verbose=verbose, tree=tree)
    return "".join("".join(painted(*span) for span in line) + "\n" for line in shown)


def lines(plan: Plan, *, width: int, verbose: bool, tree: str) -> Iterator[Line]:
    """All lines of the plan, free of control characters."""
    shown = [*header(plan, width, tree)]
    if plan.changes:
        shown += [(), *body(plan.changes, width, verbose)]
    shown += [(), ((f"Plan: {sentence(plan)}.", Style.TITLE),)]
    shown += [((note, Style.PLAIN),) for note in notes(plan)]
    for line in shown:
        yield tuple((printable(text), style) for text, style in line if text)


def header(plan: Plan, width: int, tree: str) -> Iterator[Line]:
    """What was compared: the revision and the bots, on one line if there is room."""
    git = f"{tree} @ {plan.commit if plan.commit == 'worktree' else f'{plan.commit[:7]} ({plan.ref})'}"
    live = "live: " + ("; ".join(map(target_text, plan.targets)) or "no target")
    if len(git) + len(live) + 6 <= width:
        yield (git, Style.TITLE), ("      ", Style.PLAIN), (live, Style.PLAIN)
    else:
        yield ((git, Style.TITLE),)
        yield ((live, Style.PLAIN),)


def target_text(seen: TargetSummary) -> str:
    if not seen.connected:
        return f"{seen.target} not connected"
    strategies = "strategy" if seen.live == 1 else "strategies"
    whole = "complete" if seen.complete else "not complete"
    age_s = seen.age_s
    if age_s is None:
        age = "nothing received yet"
    elif age_s < 120:  # noqa: PLR2004  (two minutes: above that, seconds are noise)
        age = f"{age_s:.1f} s old" if age_s < 10 else f"{age_s:.0f} s old"  # noqa: PLR2004
    else:
        age = f"{age_s / 60:.0f} min old"
    return f"{seen.live} {strategies} on {seen.target}, {whole}, {age}"


def body(changes: Sequence[Change], width: int, verbose: bool) -> Iterator[Line]:
    """One line for each change, and below it one for each field."""
    longest = max(len(str(change.key)) for change in changes)
    narrowest, widest = _NAME_COLUMN
    column = min(max(narrowest, longest + 2), widest)
    for action, group in groupby(changes, key=lambda change: change.action):
        alike = list(group)
        if not verbose and len(alike) > _MANY.get(action, len(alike)):
            text = f"{len(alike)} {word(action)}: {named([str(change.key) for change in alike])}"
            mark = (f"  {action.value} ", _STYLES[action])
            yield mark, (f"{text}   ", Style.PLAIN), (alike[0].reason.value, Style.QUIET)
            continue
        with_market = action is Action.CREATE and (verbose or len(alike) <= _FEW)
        for change in alike:
            yield from _change(change, column, width, verbose)
            if with_market and change.desired is not None:
                yield (("      " + market(change.desired), Style.PLAIN),)


def _change(change: Change, column: int, width: int, verbose: bool) -> Iterator[Line]:
    name = _padded(str(change.key), column, 2)
    steps = _padded(steps_text(change), _STEP_COLUMN, 3)
    mark: Span = (f"  {change.action.value} ", _STYLES[change.action])
    why = reason_text(change)
    if 4 + len(name) + len(steps) + len(why) <= width:
        yield mark, (name, Style.PLAIN), (steps, Style.PLAIN), (why, Style.QUIET)
    else:
        yield mark, (name, Style.PLAIN), (steps.rstrip(), Style.PLAIN)
        yield (("      " + why, Style.QUIET),)
    for field in change.fields:
        yield (("      " + field_line(field, change.desired, verbose=verbose), Style.PLAIN),)


def _padded(text: str, column: int, gap: int) -> str:
    return text.ljust(column) if len(text) + gap <= column else text + " " * gap


def steps_text(change: Change) -> str:
    """Such as `stop, update, start (restart)`; what has no steps says what it is."""
    if not change.steps:
        return word(change.action)
    cost = f" ({change.cost})" if change.cost in {Cost.HOT, Cost.RESTART} else ""
    return ", ".join(step.op.value for step in change.steps) + cost


def market(spec: StrategySpec) -> str:
    """What trades where, such as `pure_market_making: BTC-USDT on binance`; an account only if it is named."""
    account = "" if spec.account == DEFAULT_ACCOUNT else f", account {spec.account}"
    return f"{spec.strategy_type}: {spec.trading_pair} on {spec.exchange}{account}"


def reason_text(change: Change) -> str:
    """Why, with the fields that the reason is about and what else there is to know."""
    text = change.reason.value
    if change.reason is Reason.IDENTITY_CHANGED:
        fields = (field.path for field in change.fields if "." not in field.path and field.path != "state")
        text = f"{', '.join(fields)} {text}"
    if change.detail:
        text = f"{text}: {change.detail}"
    return f"{text} (wave {change.wave})" if change.wave and change.steps else text


def notes(plan: Plan) -> Iterator[str]:
    """What the plan does to open orders (a stop or pause cancels them: hummingbot.md), and which targets have not reported."""
    replaced: list[str] = []
    gone: list[str] = []
    for change in plan.acting:
        ops = {step.op for step in change.steps}
        if Op.STOP in ops or (change.action is Action.PAUSE):
            (replaced if ops & {Op.START} else gone).append(str(change.key))
    if replaced:
        yield f"Open orders are cancelled and placed again: {named(replaced)}."
    if gone:
        yield f"Open orders are cancelled: {named(gone)}."
    silent = [seen.target for seen in plan.targets if seen.connected and seen.age_s is None]
    if silent and plan.changes:
        yield f"Nobody has reported on {named(silent)}: is an agent running, with this broker and targets.*.root?"


def named(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
