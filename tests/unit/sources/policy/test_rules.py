"""Rules that look at one strategy: leverage, what is allowed and required, bounds of fields."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from reconciler.catalog.loading import HUMMINGBOT_VERSION, MANIFEST, schemas_dir
from reconciler.errors import Severity
from reconciler.settings.model import LimitRow
from reconciler.sources.policy.rules import PERPETUAL
from tests.support.policy_fleet import cross, maker, problems, strategy, told

OWNED = "owner: ann\nlabels: {desk: eu, env: prod}"


def perpetual(exchange: str = "binance_perpetual", **config: Any) -> str:
    fields: dict[str, Any] = {
        "bid_spread": 1,
        "ask_spread": 1,
        "order_amount": 1,
        "order_refresh_time": 30,
        **config,
    }
    return strategy("perpetual_market_making", exchange, **fields)


# -- leverage


def test_too_much_leverage_is_reported_at_its_value_with_both_numbers() -> None:
    (problem,) = problems({"a": perpetual(leverage=20)}, max_leverage=Decimal(5))

    assert (str(problem.location), problem.path) == ("s/a.yaml:9:13", "config.leverage")
    assert problem.what == "20: more than policy.max_leverage = 5 allows"
    assert problem.fix == "write leverage: 5, or less"
    assert problem.severity is Severity.ERROR


def test_leverage_up_to_the_limit_is_fine() -> None:
    assert not problems({"a": perpetual(leverage=5)}, max_leverage=Decimal(5))


def test_a_default_leverage_counts_where_there_is_leverage() -> None:
    given: dict[str, Any] = {"start_price": 1, "end_price": 2, "limit_price": 0.5, "side": 1}
    files = {name: strategy("grid_strike", name, **given) for name in ("binance_perpetual", "binance")}
    (problem,) = problems(files, max_leverage=Decimal(5))

    assert str(problem.location) == "s/binance_perpetual.yaml:4:1"
    assert problem.what.startswith("left out, Hummingbot uses 20: more than")


def test_leverage_has_several_names() -> None:
    text = strategy(
        "spot_perpetual_arbitrage",
        "binance",
        perpetual_connector="binance_perpetual",
        perpetual_market="BTC-USDT",
        order_amount=1,
        min_opening_arbitrage_pct=1,
        min_closing_arbitrage_pct=-1,
        perpetual_leverage=7,
    )

    assert told({"a": text}, max_leverage=Decimal(5)) == ["s/a.yaml:10:23 config.perpetual_leverage"]


def test_only_connectors_with_leverage_have_perpetual_in_their_name() -> None:
    manifest = schemas_dir() / "strategies" / HUMMINGBOT_VERSION / MANIFEST
    connectors = json.loads(manifest.read_text())["connectors"]

    assert all(PERPETUAL in name for name in connectors["perpetual"])
    assert not any(PERPETUAL in name for name in connectors["spot"])


# -- what is allowed


def test_an_exchange_that_is_not_allowed_is_reported_at_its_value() -> None:
    (problem,) = problems({"a": maker(exchange="kraken")}, allowed_exchanges=("binance", "kucoin"))

    assert str(problem) == (
        "s/a.yaml:2:11: exchange: kraken is not among policy.allowed_exchanges\n"
        "    fix: write one of binance, kucoin"
    )


def test_the_second_exchange_of_a_strategy_must_be_allowed_too() -> None:
    assert told({"a": cross(taker="kraken")}, allowed_exchanges=("binance",)) == [
        "s/a.yaml:5:17 config.taker_market"
    ]


def test_an_exchange_that_only_lends_its_price_need_not_be_allowed() -> None:
    text = maker(
        price_source="external_market",
        price_source_exchange="kraken",
        price_source_market="BTC-USD",
        take_if_crossed="false",
    )

    assert not problems({"a": text}, allowed_exchanges=("binance",))


@pytest.mark.parametrize(
    ("pattern", "fine"), [("binance*", True), ("*", True), ("bin*x", False), ("*trade", False)]
)
def test_a_star_stands_for_any_letters(pattern: str, fine: bool) -> None:
    assert (not problems({"a": maker()}, allowed_exchanges=(pattern,))) is fine


def test_a_strategy_type_that_is_not_allowed_is_reported_at_its_value() -> None:
    (problem,) = problems({"a": maker()}, allowed_strategy_types=("pmm_*",))

    assert (str(problem.location), problem.path) == ("s/a.yaml:1:16", "strategy_type")
    assert "pure_market_making is not among policy.allowed_strategy_types" in problem.what


# -- what is required


def test_every_label_that_is_missing_or_empty_is_reported() -> None:
    files = {"a": maker(), "b": maker(head='labels: {desk: " ", env: prod}'), "c": maker(head=OWNED)}

    assert told(files, required_labels=("desk", "env")) == [
        "s/a.yaml:1:1 labels.desk",
        "s/a.yaml:1:1 labels.env",
        "s/b.yaml:4:16 labels.desk",
    ]


def test_an_owner_that_is_missing_or_empty_is_reported() -> None:
    files = {"a": maker(), "b": maker(head='owner: ""'), "c": maker(head=OWNED)}

    assert told(files, require_owner=True) == ["s/a.yaml:1:1 owner", "s/b.yaml:4:8 owner"]


def test_rules_look_at_stopped_strategies_too() -> None:
    assert told({"a": maker(head="state: stopped")}, require_owner=True)


def test_the_policy_s_severity_is_that_of_its_rules() -> None:
    found = problems({"a": maker()}, require_owner=True, required_labels=("x",), severity="warning")

    assert {problem.severity for problem in found} == {Severity.WARNING}


# -- limits


def limited(text: str, *rows: LimitRow) -> list[tuple[str, str]]:
    return [(problem.path, problem.severity.value) for problem in problems({"a": text}, limits=rows)]


def amount(**row: str) -> LimitRow:
    return LimitRow(field="config.order_amount", **row)


def test_a_value_over_the_most_is_reported_with_both_numbers() -> None:
    (problem,) = problems({"a": maker(order_amount=0.7)}, limits=(amount(max="0.5"),))

    assert (str(problem.location), problem.path) == ("s/a.yaml:7:17", "config.order_amount")
    assert problem.what == "0.7 is over 0.5, the most that policy.limits allows for BTC-USDT on binance"
    assert problem.fix == "write 0.5, or less"


def test_a_value_under_the_least_is_reported_with_both_numbers() -> None:
    (problem,) = problems({"a": maker(order_amount=0.0001)}, limits=(amount(min="0.001", max="1"),))

    assert problem.what.startswith("0.0001 is under 0.001, the least that policy.limits allows")
    assert problem.fix == "write 0.001, or more"


@pytest.mark.parametrize("value", ["0.5", "0.001", "0.50", "0.01"])
def test_bounds_belong_to_what_is_allowed(value: str) -> None:
    assert not limited(maker(order_amount=value), amount(min="0.001", max="0.5"))


@pytest.mark.parametrize(
    ("row", "applies"),
    [
        ({"exchange": "binance", "trading_pair": "BTC-USDT"}, True),
        ({"exchange": "binance*", "trading_pair": "*-USDT"}, True),
        ({"trading_pair": "BTC-*"}, True),
        ({"exchange": "kucoin"}, False),
        ({"trading_pair": "ETH-*"}, False),
    ],
)
def test_a_row_is_about_its_exchange_and_pair(row: dict[str, str], applies: bool) -> None:
    assert bool(limited(maker(), amount(max="0.5", **row))) is applies


def test_an_exception_stands_before_what_holds_in_general() -> None:
    rows = (amount(trading_pair="BTC-USDT", max="2"), amount(max="0.5"))

    assert not limited(maker(), *rows)
    assert limited(maker("ETH-USDT"), *rows)


def test_a_warning_may_stand_next_to_an_error() -> None:
    rows = (amount(max="0.5", severity="warning"), amount(max="5"))

    assert not limited(maker(order_amount=0.2), *rows)
    assert limited(maker(order_amount=1), *rows) == [("config.order_amount", "warning")]
    assert limited(maker(order_amount=9), *rows) == [("config.order_amount", "error")]


def test_a_least_and_a_most_may_stand_in_two_rows() -> None:
    rows = (amount(max="5"), amount(min="0.1"))

    assert limited(maker(order_amount=9), *rows)
    assert limited(maker(order_amount="0.01"), *rows)


def test_a_bound_with_a_unit_fits_percent_and_fraction_alike() -> None:
    spread = LimitRow(field="config.take_profit", min="0.1%")
    files = {
        "low": strategy("bollinger_v1", "binance_perpetual", take_profit="5bps"),
        "high": strategy("bollinger_v1", "binance_perpetual", take_profit="0.2%"),
    }
    percent = LimitRow(field="config.bid_spread", min="60bps")

    (problem,) = problems(files, limits=(spread,))
    assert problem.what.startswith("0.05 % is under 0.1%, the least")
    assert limited(maker(bid_spread=0.5), percent)
    assert not limited(maker(bid_spread=0.6), percent)


def test_each_number_of_a_list_is_held_to_the_bounds() -> None:
    row = LimitRow(field="config.buy_spreads", min="0.5%")
    text = strategy("pmm_simple", "binance", buy_spreads="[0.01, 0.001]", sell_spreads="[0.01, 0.01]")

    assert told({"a": text}, limits=(row,)) == ["s/a.yaml:5:23 config.buy_spreads.1"]


def test_a_default_counts_as_if_it_were_written() -> None:
    row = LimitRow(field="config.order_levels", min="2")
    (problem,) = problems({"a": maker()}, limits=(row,))

    assert problem.what.startswith("left out, Hummingbot's default applies: 1 is under 2")
    assert str(problem.location) == "s/a.yaml:4:1"


def test_a_field_below_a_field_has_bounds() -> None:
    row = LimitRow(field="config.order_levels_mode.order_levels", max="3")
    text = strategy(
        "avellaneda_market_making",
        "binance",
        order_amount=1,
        order_refresh_time=30,
        order_levels_mode="{order_levels: 5, level_distances: 1}",
        execution_timeframe_mode="infinite",
    )

    assert told({"a": text}, limits=(row,)) == ["s/a.yaml:7:37 config.order_levels_mode.order_levels"]


def test_both_markets_of_a_strategy_are_looked_up() -> None:
    assert limited(cross(taker="kucoin"), amount(exchange="kucoin", max="0.5"))
    assert not limited(cross(taker="kucoin"), amount(exchange="kraken", max="0.5"))


def test_a_field_that_others_have_is_no_matter() -> None:
    assert not limited(maker(), LimitRow(field="config.leverage", max="1"))
