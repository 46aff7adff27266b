"""Rules over a fleet: one strategy for each account and market, and how much all of them order there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.errors import Severity
from reconciler.settings.model import TotalRow
from tests.support.policy_fleet import cross, maker, problems, strategy, told

ONE = {"exclusive_markets": "error"}


def shared(*texts: str, names: str = "abcdef") -> list[str]:
    return told(dict(zip(names, texts, strict=False)), **ONE)


def limit(base: str = "", quote: str = "", **row: str) -> TotalRow:
    return TotalRow(base=Decimal(base) if base else None, quote=Decimal(quote) if quote else None, **row)


def totals(*texts: str, rows: tuple[TotalRow, ...] = (limit(base="2"),)) -> list[str]:
    found = problems(dict(zip("abcdef", texts, strict=False)), max_total_amount=rows)
    return [problem.what for problem in found]


# -- one strategy for each account and market


def test_two_strategies_on_one_market_are_reported_at_both_places() -> None:
    found = problems({"a": maker(), "b": maker(), "c": maker("ETH-USDT")}, **ONE)

    assert [str(problem.location) for problem in found] == ["s/a.yaml:3:15", "s/b.yaml:3:15"]
    assert found[0].what == (
        "BTC-USDT on binance is traded with account default by more than one strategy, "
        "which policy.exclusive_markets forbids (see b at s/b.yaml:3:15)"
    )
    assert "(see a at s/a.yaml:3:15)" in found[1].what
    assert found[0].fix == "give one of them another account or pair, or stop it (state: stopped)"


@pytest.mark.parametrize(
    "other",
    [maker("ETH-USDT"), maker(exchange="kucoin"), maker(head="account: desk"), maker(head="target: eu")],
    ids=["pair", "exchange", "account", "target"],
)
def test_another_market_or_account_is_in_nobody_s_way(other: str) -> None:
    assert not shared(maker(), other)


@pytest.mark.parametrize(
    ("head", "counts"),
    [
        ("state: paused", True),
        ("state: stopped", False),
        ("state: stopped\nsuspend: {reason: holiday}", True),
        ("suspend: {reason: holiday}", True),
    ],
)
def test_who_may_have_orders_counts(head: str, counts: bool) -> None:
    assert bool(shared(maker(), maker(head=head))) is counts


def test_the_second_side_of_a_strategy_counts_and_is_reported_where_it_stands() -> None:
    assert shared(cross(taker="kucoin"), maker(exchange="kucoin")) == [
        "s/a.yaml:6:30 config.taker_market_trading_pair",
        "s/b.yaml:3:15 trading_pair",
    ]


def test_further_pairs_of_one_exchange_count() -> None:
    mining = strategy(
        "liquidity_mining",
        "binance",
        markets="BTC-USDT, ETH-USDT",
        token="USDT",
        order_amount=1,
        spread=1,
        target_base_pct=50,
    )

    assert shared(mining, maker("ETH-USDT")) == ["s/a.yaml:5:12 config.markets", "s/b.yaml:3:15 trading_pair"]


def test_an_exchange_that_only_lends_its_candles_is_not_traded() -> None:
    borrowing = strategy(
        "bollinger_v1",
        "binance_perpetual",
        candles_connector="binance",
        candles_trading_pair="BTC-USDT",
    )

    assert not shared(borrowing, maker())


def test_a_strategy_that_names_no_exchange_trades_nowhere() -> None:
    watching = strategy("examples.candles_data_controller", "binance", "BTC-USDT")

    assert not shared(watching, maker())


def test_a_crowd_is_reported_with_a_few_of_the_others() -> None:
    found = problems({f"m{number}": maker() for number in range(9)}, **ONE)

    assert len(found) == 9
    assert found[0].what.endswith(
        "(see m1 at s/m1.yaml:3:15, m2 at s/m2.yaml:3:15, m3 at s/m3.yaml:3:15, 5 more)"
    )
    assert found[8].what.endswith(
        "(see m0 at s/m0.yaml:3:15, m1 at s/m1.yaml:3:15, m2 at s/m2.yaml:3:15, 5 more)"
    )


def test_the_same_strategy_written_twice_is_no_matter_of_markets() -> None:
    assert not shared(maker(head="strategy_name: x"), maker(head="strategy_name: x"))


def test_exclusive_markets_has_a_severity_of_its_own() -> None:
    found = problems({"a": maker(), "b": maker()}, exclusive_markets="warning", severity="error")

    assert {problem.severity for problem in found} == {Severity.WARNING}


# -- totals


def test_too_much_together_is_reported_at_each_share_with_the_numbers() -> None:
    found = problems(
        {"a": maker(order_amount="1.5"), "b": maker(order_amount="0.75")}, max_total_amount=(limit(base="2"),)
    )

    assert [f"{problem.location} {problem.path}" for problem in found] == [
        "s/a.yaml:7:17 config.order_amount",
        "s/b.yaml:7:17 config.order_amount",
    ]
    assert found[0].what == (
        "1.5 of 2.25 BTC in all ordered for BTC-USDT on binance: more than policy.max_total_amount = 2 allows "
        "(see b at s/b.yaml:7:17)"
    )
    assert found[0].fix == "remove 0.25 BTC, here or there, or stop one (state: stopped)"


def test_one_alone_may_be_too_much() -> None:
    (what,) = totals(maker(order_amount=3))

    assert what.startswith("3 BTC ordered for BTC-USDT on binance: more than")


def test_the_limit_itself_is_allowed() -> None:
    assert not totals(maker(order_amount="1.2"), maker(order_amount="0.8"))


def test_each_exchange_and_pair_is_counted_by_itself() -> None:
    assert not totals(maker(order_amount=2), maker("ETH-USDT", order_amount=2), maker(exchange="kucoin"))


def test_accounts_and_targets_are_counted_together() -> None:
    assert totals(maker(order_amount=1.5), maker(head="account: desk\ntarget: eu"))


def test_a_stopped_strategy_orders_nothing() -> None:
    assert not totals(maker(order_amount=2), maker(order_amount=9, head="state: stopped"))


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"order_levels": 3}, "3"),
        ({"order_levels": 3, "order_level_amount": "0.5"}, "4.5"),
        ({"order_override": "{a: [buy, 1, 2], b: [buy, 2, 3.5], c: [sell, 1, 4]}"}, "5.5"),
        (
            {
                "split_order_levels_enabled": "true",
                "bid_order_level_spreads": '"1,2"',
                "ask_order_level_spreads": '"1,2"',
                "bid_order_level_amounts": '"1, 2"',
                "ask_order_level_amounts": '"4,.5"',
                "order_override": "{a: [buy, 1, 9]}",
            },
            "4.5",
        ),
    ],
    ids=["levels", "growing levels", "override", "split levels"],
)
def test_all_levels_of_the_larger_side_count(config: dict[str, Any], size: str) -> None:
    (what,) = totals(maker(**config))

    assert what.startswith(f"{size} BTC ordered")


def test_levels_that_are_a_mode_count() -> None:
    text = strategy(
        "avellaneda_market_making",
        "binance",
        order_amount=1,
        order_refresh_time=30,
        execution_timeframe_mode="infinite",
        order_levels_mode="{order_levels: 4, level_distances: 1}",
    )

    assert totals(text)[0].startswith("4 BTC ordered")


def test_an_amount_counts_on_both_sides_of_a_strategy() -> None:
    whats = totals(cross(order_amount="2.5", taker="kucoin"))

    assert [what.partition(":")[0] for what in whats] == [
        "2.5 BTC ordered for BTC-USDT on binance",
        "2.5 BTC ordered for BTC-USDT on kucoin",
    ]


def test_controllers_are_counted_in_the_quote_asset_and_apart_from_the_base() -> None:
    controller = strategy(
        "pmm_simple", "binance", total_amount_quote=900, buy_spreads="[0.01]", sell_spreads="[0.01]"
    )
    default = strategy("pmm_simple", "binance", buy_spreads="[0.01]", sell_spreads="[0.01]")
    whats = totals(controller, default, maker(), rows=(limit(quote="950"), limit(base="1")))

    assert [what.partition(":")[0] for what in whats] == [
        "900 of 1000 USDT in all ordered for BTC-USDT on binance",
        "100 of 1000 USDT in all ordered for BTC-USDT on binance",
    ]


def test_what_no_row_limits_is_not_counted() -> None:
    assert not totals(maker(order_amount=9), rows=(limit(base="1", trading_pair="ETH-*"), limit(quote="1")))


def test_an_exception_stands_before_what_holds_in_general() -> None:
    rows = (limit(base="9", trading_pair="BTC-USDT"), limit(base="1"))

    assert not totals(maker(order_amount=5), rows=rows)
    assert totals(maker("ETH-USDT", order_amount=5), rows=rows)


def test_rows_of_one_asset_do_not_hide_those_of_the_other() -> None:
    assert totals(maker(order_amount=5), rows=(limit(quote="9"), limit(base="1")))


def test_a_warning_stands_below_an_error() -> None:
    rows = (limit(base="1", severity="warning"), limit(base="4"))

    def severities(amount: int) -> list[str]:
        found = problems({"a": maker(order_amount=amount)}, max_total_amount=rows)
        return [problem.severity.value for problem in found]

    assert [severities(amount) for amount in (1, 2, 5)] == [[], ["warning"], ["error"]]
