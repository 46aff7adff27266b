"""Every mistake in a strategy file, at its place and with its fix; every good file as a spec."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.catalog.packaged import load_catalog
from reconciler.errors import Severity
from reconciler.model.spec import Suspend, Wish
from reconciler.sources.check import check

HEAD = "strategy_type: pure_market_making\nexchange: binance\ntrading_pair: BTC-USDT\n"
CONFIG = "config:\n  bid_spread: 0.1\n  ask_spread: 0.1\n  order_amount: 0.01\n  order_refresh_time: 30\n"


def checked(text: str):
    return check(text.encode(), "strategies/btc.yaml", load_catalog())


def problems(text: str, severity=Severity.ERROR):
    return [problem for problem in checked(text).problems if problem.severity is severity]


def config(**fields: str) -> str:
    given = {
        "bid_spread": "0.1",
        "ask_spread": "0.1",
        "order_amount": "0.01",
        "order_refresh_time": "30",
    } | fields
    return HEAD + "config:\n" + "".join(f"  {key}: {value}\n" for key, value in given.items() if value != "-")


def test_a_plain_file_is_a_spec_with_defaults_and_without_a_name() -> None:
    (spec,) = checked(HEAD + CONFIG).specs

    assert (spec.name, spec.state, spec.target, spec.account, spec.wave) == (
        "",
        Wish.RUNNING,
        "default",
        "default",
        0,
    )
    assert spec.config["bid_spread"] == Decimal("0.1")


def test_every_optional_field_arrives() -> None:
    text = (
        HEAD
        + "strategy_name: x\nstate: paused\ntarget: eu\naccount: desk\nlabels: {a: b}\ndescription: d\nowner: o\n"
        + "wave: -2\nprotect: true\nsuspend: {reason: r, until: 2026-12-24T00:00:00Z}\n"
        + "ignore_drift: [config.order_amount]\nadopt: true\n"
        + CONFIG
    )

    (spec,) = checked(text).specs

    assert (spec.name, spec.state, spec.target, spec.account) == ("x", Wish.PAUSED, "eu", "desk")
    assert (spec.labels, spec.description, spec.owner, spec.wave) == ({"a": "b"}, "d", "o", -2)
    assert (spec.protect, spec.adopt, spec.ignore_drift) == (True, True, ("config.order_amount",))
    assert spec.suspend == Suspend("r", "2026-12-24T00:00:00Z")


@pytest.mark.parametrize(
    ("written", "number"),
    [("0.1%", "0.1"), ("10bps", "0.10"), ("10 bps", "0.10"), ("0.1", "0.1"), ("'0.25%'", "0.25")],
)
def test_units_become_hummingbots_own(written: str, number: str) -> None:
    (spec,) = checked(config(bid_spread=written)).specs

    assert spec.config["bid_spread"] == Decimal(number)


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "what", "fix"),
    [
        (HEAD + "stat: x\n" + CONFIG, 4, 1, "stat", "no such field", "did you mean state?"),
        (
            HEAD + "state: paussed\n" + CONFIG,
            4,
            8,
            "state",
            "'paussed' is not allowed",
            "running, paused, stopped",
        ),
        (HEAD.replace("BTC-USDT", "btcusdt") + CONFIG, 3, 15, "trading_pair", "right form", "BASE-QUOTE"),
        (
            HEAD.replace("pure_m", "pur_m") + CONFIG,
            1,
            16,
            "strategy_type",
            "no strategy type",
            "pure_market_making?",
        ),
        (HEAD, 1, 1, "config", "needs this field", "add config"),
        (HEAD + "labels: {a: 1}\n" + CONFIG, 4, 13, "labels.a", "1 is not text", 'quotes: "1"'),
        (HEAD + "strategy_name: a b\n" + CONFIG, 4, 16, "strategy_name", "right form", "letters, digits"),
        (
            HEAD + "suspend: {reason: r, until: soon}\n" + CONFIG,
            4,
            29,
            "suspend.until",
            "RFC 3339",
            "2026-12-24",
        ),
        (
            HEAD + "ignore_drift: [config.order_amout]\n" + CONFIG,
            4,
            16,
            "ignore_drift.0",
            "no field",
            "order_amount?",
        ),
        (
            config(bid_spred="1"),
            9,
            3,
            "config.bid_spred",
            "pure_market_making has no such",
            "did you mean bid_spread?",
        ),
        (config(bid_spread="200%"), 5, 15, "config.bid_spread", "out of range", "above 0 and below 100"),
        (config(order_amount="5%"), 7, 17, "config.order_amount", "no percentage", "plain number"),
        (config(order_levels="1.5"), 9, 17, "config.order_levels", "not a whole number", "whole number"),
        (config(bid_spread="-"), 4, 1, "config.bid_spread", "needs this field", "add bid_spread"),
        (
            config(ping_pong_enabled="yes"),
            9,
            22,
            "config.ping_pong_enabled",
            "'yes' is not true",
            "true or false",
        ),
    ],
)
def test_a_mistake_is_told_with_place_and_fix(text, line, column, path, what, fix) -> None:  # noqa: PLR0913, PLR0917  (a row of the table)
    (problem,) = problems(text)

    assert (problem.location.line, problem.location.column, problem.path) == (line, column, path)
    assert what in problem.what
    assert fix in problem.fix


def test_all_mistakes_of_a_file_come_in_its_order() -> None:
    found = problems(config(bid_spread="0", ask_spread="x").replace("binance", "Binance"))

    assert [problem.location.line for problem in found] == [2, 5, 6]


def test_a_field_that_another_calls_for_is_required() -> None:
    (problem, *_) = problems(config(price_source="custom_api"))

    assert problem.path == "config.price_source_custom_api"


def test_an_absurd_spread_is_a_warning_that_says_both_readings() -> None:
    (warning,) = problems(config(bid_spread="0.001"), Severity.WARNING)

    assert "0.001 means 0.001 %" in warning.what
    assert "0.100%" in warning.fix
    assert len(checked(config(bid_spread="0.001")).specs) == 1


def test_a_spread_with_its_unit_is_never_absurd() -> None:
    assert not problems(config(bid_spread="0.001%"), Severity.WARNING)


def test_the_given_example_without_refresh_time_stays_valid_and_30_s_is_written_out() -> None:
    text = config(order_refresh_time="-")

    (warning,) = problems(text, Severity.WARNING)

    assert (warning.path, warning.what) == ("config.order_refresh_time", "left out; 30 is used")
    assert checked(text).specs[0].config["order_refresh_time"] == 30


def test_one_bad_document_does_not_hide_the_others() -> None:
    result = checked(f"strategy_name: good\n{HEAD}{CONFIG}---\nstrategy_name: bad\nstate: x\n{HEAD}{CONFIG}")

    assert [spec.name for spec in result.specs] == ["good"]
    assert result.broken == ("bad",)
    assert result.problems[0].location.line == 12
