"""One row for each strategy: what is wanted, what is seen, and nothing that only was."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import click
import pytest

from reconciler.cli.render.status import (
    StatusInput,
    StatusRow,
    age_text,
    status_exit_code,
    status_rows,
    status_table,
)
from reconciler.errors import ExitCode
from reconciler.model.change import Action, Change, Plan, Reason
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Condition, Desired, Observed, ObservedStrategy
from reconciler.protocol.messages import Performance
from tests.support.plan_builders import live, spec

NOW = datetime(2026, 11, 23, 5, 0, 30, tzinfo=UTC)
FIGURES = Performance(
    strategy_name="mm", timestamp="", net_pnl_quote=Decimal("12.345"), volume_quote=3, open_orders=2
)


def row_of(
    seen: ObservedStrategy | None,
    *changes: Change,
    wanted: StrategySpec | None = None,
    connected: bool = True,
) -> StatusRow:
    strategies = {} if seen is None else {seen.name: seen}
    view = Observed("default", connected=connected, complete=True, extended=True, strategies=strategies)
    desired = Desired("abc", "main", {} if wanted is None else {wanted.key: wanted})
    plan = Plan("abc", "main", changes, 0)
    (row,) = status_rows(StatusInput(plan, desired, {"default": view}, lambda _: FIGURES, NOW))
    return row


def change(action: Action, reason: Reason, detail: str = "") -> Change:
    return Change("default", "mm", action, reason, detail=detail)


def test_a_strategy_as_wanted_is_in_sync_and_healthy() -> None:
    row = row_of(live(spec(), observed_at="2026-11-23T05:00:00Z"), wanted=spec())

    assert (row.wish, row.live, row.sync, row.health) == ("running", "running", "in sync", "healthy")
    assert (row.net_pnl_quote, row.open_orders, row.age_s) == (Decimal("12.345"), 2, 30.0)


@pytest.mark.parametrize(
    ("action", "reason", "sync"),
    [
        (Action.UPDATE, Reason.CHANGED, "pending"),
        (Action.UPDATE, Reason.DRIFTED, "drift"),
        (Action.BLOCKED, Reason.BOT_ERROR, "blocked"),
        (Action.WAIT, Reason.IN_TRANSIT, "waiting"),
        (Action.UNMANAGED, Reason.NOT_OURS_UNMANAGED, "unmanaged"),
    ],
)
def test_what_differs_says_how_and_why(action: Action, reason: Reason, sync: str) -> None:
    row = row_of(live(spec()), change(action, reason, "so it is"), wanted=spec())

    assert (row.sync, row.why) == (sync, f"{reason}: so it is")


def test_what_cannot_be_seen_shows_no_figures_of_the_past() -> None:
    row = row_of(live(spec()), change(Action.UNKNOWN, Reason.UNSEEN), wanted=spec(), connected=False)

    assert (row.live, row.health, row.sync) == (None, "unknown", "unknown")
    assert (row.net_pnl_quote, row.open_orders, row.age_s) == (None, None, None)


def test_a_live_strategy_with_a_condition_is_degraded_and_one_with_an_error_says_so() -> None:
    assert row_of(live(spec(), conditions=(Condition("OrdersMayBeOpen"),))).health == "degraded"
    assert row_of(live(spec(), "error")).health == "error"
    assert row_of(live(spec(), "starting")).health == "in transit"


@pytest.mark.parametrize("observed_at", [None, "yesterday", "2026-11-23T05:00:40Z"])
def test_an_age_that_cannot_be_known_is_none_and_never_below_zero(observed_at: str | None) -> None:
    age_s = row_of(live(spec(), observed_at=observed_at)).age_s

    assert age_s in {None, 0.0}


@pytest.mark.parametrize(
    ("syncs", "code"),
    [
        (["in sync", "blocked", "unmanaged"], ExitCode.OK),
        (["in sync", "drift"], ExitCode.CHANGES),
        (["pending", "unknown"], ExitCode.UNKNOWN),
        ([], ExitCode.OK),
    ],
)
def test_the_exit_code_comes_from_the_rows_that_are_shown(syncs: list[str], code: ExitCode) -> None:
    row = row_of(live(spec()), wanted=spec())
    shown = [
        StatusRow(**{**{name: getattr(row, name) for name in row.__struct_fields__}, "sync": s})
        for s in syncs
    ]

    assert status_exit_code(shown) is code


def test_the_table_lines_up_and_shows_no_control_characters() -> None:
    long = row_of(live(spec("a-rather-long-name"), message="spread\x1b[2J"))
    short = row_of(live(spec("b")))

    lines = click.unstyle(status_table([long, short])).splitlines()

    assert [line.index("in sync") for line in lines[1:]] == [lines[0].index("SYNC")] * 2
    assert "+12.3" in lines[1]
    assert "\x1b" not in lines[1]


@pytest.mark.parametrize(
    ("age_s", "text"), [(0.0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ages_are_reported_in_the_unit_that_fits(age_s: float, text: str) -> None:
    assert age_text(age_s) == text
