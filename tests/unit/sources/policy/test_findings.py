"""Findings become Problems at their places; who breaks a rule is left alone as if the file were invalid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.desired import amended, desired_of, make_desired
from reconciler.errors import InvalidFiles, Severity
from reconciler.model.spec import Key
from reconciler.settings.model import FeeRow, Settings
from reconciler.sources.base import Checked, Revision
from tests.support.policy_fleet import Fleet, maker, told

STREAM = (
    f"# two of them\n\n---\nstrategy_name: one\n{maker()}---\n# nothing\n---\nstrategy_name: two\n{maker()}"
)


def desired(files, on_invalid: str = "reject"):
    return make_desired(
        files.items(), commit="c", ref="main", targets=("default", "eu"), on_invalid=on_invalid
    )


def test_every_document_of_a_file_has_its_own_places() -> None:
    assert told({"x": STREAM}, exclusive_markets="error") == [
        "s/x.yaml:7:15 trading_pair",
        "s/x.yaml:19:15 trading_pair",
    ]


def test_windows_lines_and_a_mark_do_not_move_places() -> None:
    text = "\ufeff" + maker(exchange="kraken").replace("\n", "\r\n")

    assert told({"x": text}, allowed_exchanges=("binance",)) == ["s/x.yaml:2:11 exchange"]


def test_only_the_files_concerned_are_read_again() -> None:
    fleet = Fleet(
        {"a": maker(), "b": maker(), "c": maker("ETH-USDT"), "d": maker("XRP-USDT", order_amount=7)}
    )
    fleet.judged(exclusive_markets="error")

    assert fleet.read == {"s/a.yaml", "s/b.yaml"}


def test_a_file_with_nothing_found_stays_the_same_object() -> None:
    fleet = Fleet({"a": maker(), "b": maker("ETH-USDT", exchange="kraken")})
    judged = fleet.judged(allowed_exchanges=("binance",))

    assert judged["s/a.yaml"] is fleet.files[0][1]
    assert judged["s/b.yaml"] is not fleet.files[1][1]


def test_without_rules_nothing_is_looked_at() -> None:
    fleet = Fleet({"a": maker(), "b": maker()})

    assert tuple(fleet.judged().items()) == fleet.files
    assert not fleet.read


def test_problems_stand_among_those_of_the_file_in_file_order() -> None:
    fleet = Fleet({"a": maker(order_refresh_time=None, bid_spread=0.001)})
    (checked,) = fleet.judged(require_owner=True, max_leverage=Decimal(1)).values()

    assert list(checked.problems) == sorted(checked.problems)
    assert len(checked.problems) == 3


def test_an_error_refuses_the_revision_as_an_invalid_file_does() -> None:
    judged = Fleet({"a": maker(), "b": maker("ETH-USDT", exchange="kraken")}).judged(
        allowed_exchanges=("binance",)
    )

    with pytest.raises(InvalidFiles) as error:
        desired(judged)
    assert [str(problem.location) for problem in error.value.problems] == ["s/b.yaml:2:11"]


def test_under_skip_those_who_break_a_rule_are_left_alone_and_nothing_else_is() -> None:
    judged = Fleet({"a": maker(), "b": maker(), "c": maker("ETH-USDT")}).judged(exclusive_markets="error")

    result = desired(judged, "skip")
    assert list(result.specs) == [Key("default", "c")]
    assert {Key("default", "a"), Key("default", "b")} <= result.held
    assert not result.unsure


def test_under_skip_a_named_strategy_is_left_alone_by_its_name() -> None:
    judged = Fleet({"x": STREAM}).judged(exclusive_markets="error")

    assert {key.name for key in desired(judged, "skip").held} == {"one", "two"}


def test_a_warning_lets_the_revision_pass_and_is_reported() -> None:
    narrow = maker(bid_spread="0.01%", ask_spread="0.01%")
    judged = Fleet({"a": narrow}).judged(fees={"default": FeeRow(maker=Decimal("0.1"))})

    result = desired(judged)
    assert [problem.severity for problem in result.problems if "fees" in problem.what] == [Severity.WARNING]
    assert list(result.specs) == [Key("default", "a")]
    assert not result.held


def test_a_file_s_good_strategy_is_held_with_its_bad_one() -> None:
    text = f"strategy_name: good\n{maker()}---\nstrategy_name: bad\n{maker(exchange='kraken')}"
    judged = Fleet({"x": text, "y": maker("ETH-USDT")}).judged(allowed_exchanges=("binance",))

    result = desired(judged, "skip")
    assert [key.name for key in result.specs] == ["y"]
    assert {key.name for key in result.held} == {"good", "bad"}


def test_thousands_of_strategies_take_one_look_at_each() -> None:
    fleet = Fleet({f"m{number}": maker(f"A{number}-USDT") for number in range(2000)})

    judged = fleet.judged(exclusive_markets="error", max_leverage=Decimal(5), required_labels=())
    assert tuple(judged.items()) == fleet.files
    assert not fleet.read


def test_a_crowd_on_one_market_reads_each_file_once_and_names_few() -> None:
    fleet = Fleet({f"m{number}": maker() for number in range(500)})
    judged = fleet.judged(exclusive_markets="error")

    whats = [problem.what for checked in judged.values() for problem in checked.problems]
    assert len(whats) == 500
    assert max(map(len, whats)) < 400
    assert len(fleet.read) == 500


SETTINGS = Settings()


def revision(files: dict[str, Checked]) -> Revision:
    return Revision("c", "main", tuple(files.items()))


def test_the_short_cut_for_small_commits_sees_what_a_change_does_to_others() -> None:
    apart, alike = Fleet({"a": maker(), "b": maker("ETH-USDT")}), Fleet({"a": maker(), "b": maker()})
    before = revision(apart.judged(exclusive_markets="error"))
    after = revision(alike.judged(exclusive_markets="error"))

    with pytest.raises(InvalidFiles):
        amended(desired_of(before, SETTINGS), before, after, SETTINGS)


def test_a_finding_that_went_away_is_gone_by_the_short_cut_too() -> None:
    low, wide = Fleet({"a": maker(bid_spread="0.1%")}), Fleet({"a": maker()})
    fees = {"default": FeeRow(maker=Decimal("0.4"))}
    before, after = revision(low.judged(fees=fees)), revision(wide.judged(fees=fees))

    assert desired_of(before, SETTINGS).problems
    assert not amended(desired_of(before, SETTINGS), before, after, SETTINGS).problems
