"""`policy.fees`: values with which a trade there and back costs more than it earns, as the settings have the fees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.errors import Severity
from reconciler.settings.model import FeeRow
from tests.support.policy_fleet import cross, maker, problems, strategy

TENTH = dict.fromkeys(("binance", "binance_perpetual"), FeeRow(maker=Decimal("0.1"), taker=Decimal("0.15")))


def losses(text: str, fees: Any = TENTH) -> list[str]:
    return [problem.what for problem in problems({"a": text}, fees=fees)]


def perpetual(**config: Any) -> str:
    fields: dict[str, Any] = {
        "leverage": 1,
        "bid_spread": 1,
        "ask_spread": 1,
        "order_amount": 1,
        "order_refresh_time": 30,
    }
    return strategy("perpetual_market_making", "binance_perpetual", **(fields | config))


def controller(kind: str, **config: Any) -> str:
    return strategy(kind, "binance", **config)


def test_spreads_below_two_maker_fees_are_reported_with_both_numbers_and_what_is_lost() -> None:
    (problem,) = problems({"a": maker(bid_spread="0.1%", ask_spread="5bps")}, fees=TENTH)

    assert (str(problem.location), problem.path) == ("s/a.yaml:5:15", "config.bid_spread")
    assert problem.what == (
        "bid_spread + ask_spread = 0.15 %, but two maker fees on binance (policy.fees) take 0.2 %: "
        "each round trip loses 0.05 %"
    )
    assert problem.fix == "bring it above 0.2 %"


def test_a_loss_is_a_warning_whatever_the_policy_s_severity() -> None:
    (problem,) = problems({"a": maker(bid_spread=0.1, ask_spread=0.05)}, fees=TENTH, severity="error")

    assert problem.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("bid", "ask", "result"),
    [
        (0.1, 0.1, "a round trip earns nothing"),
        (0.05, 0.1, "each round trip loses 0.05 %"),
        (0.19, 0.01, "a round trip earns nothing"),
    ],
)
def test_what_does_not_exceed_the_fees_is_reported(bid: float, ask: float, result: str) -> None:
    (what,) = losses(maker(bid_spread=bid, ask_spread=ask))

    assert what.endswith(result)


@pytest.mark.parametrize(("bid", "ask"), [(0.1, "0.1001"), ("30bps", "1bps"), (1, 1)])
def test_what_exceeds_the_fees_is_fine(bid: object, ask: object) -> None:
    assert not losses(maker(bid_spread=bid, ask_spread=ask))


def test_without_fees_nothing_is_assumed() -> None:
    assert not losses(maker(bid_spread=0.001, ask_spread=0.001), {})


def test_an_exchange_that_the_settings_leave_out_has_the_default_or_no_fee() -> None:
    text = maker(exchange="kucoin", bid_spread=0.001, ask_spread=0.001)

    assert not losses(text)
    assert losses(text, {**TENTH, "default": FeeRow(maker=Decimal("0.1"))})
    assert not losses(text, {"default": FeeRow(taker=Decimal("0.1"))})


def test_paper_trading_is_held_to_the_fees_of_its_exchange() -> None:
    assert losses(maker(exchange="binance_paper_trade", bid_spread=0.01, ask_spread=0.01))


def test_a_rebate_makes_narrow_spreads_pay() -> None:
    rebate = {"binance": FeeRow(maker=Decimal("-0.01"))}

    assert not losses(maker(bid_spread=0.001, ask_spread=0.001), rebate)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"add_transaction_costs": "true"},
        {
            "split_order_levels_enabled": "true",
            "bid_order_level_spreads": '"1,2"',
            "ask_order_level_spreads": '"1,2"',
            "bid_order_level_amounts": '"1,2"',
            "ask_order_level_amounts": '"1,2"',
        },
        {"order_override": "{one: [buy, 1, 1]}"},
    ],
    ids=["costs added", "split levels", "override"],
)
def test_where_orders_stand_elsewhere_the_spreads_say_nothing(elsewhere: dict[str, Any]) -> None:
    assert losses(maker(bid_spread=0.01, ask_spread=0.01))
    assert not losses(maker(bid_spread=0.01, ask_spread=0.01, **elsewhere))


def test_lists_of_fractions_count_with_their_smallest() -> None:
    (what,) = losses(controller("pmm_v1", buy_spreads="[0.02, 0.0005]", sell_spreads='"0.0007,0.03"'))

    assert what.startswith("buy_spreads + sell_spreads = 0.12 %, but two maker fees")


def test_a_take_profit_order_below_its_fees_is_reported() -> None:
    (what,) = losses(controller("bollinger_v1", take_profit="0.1%"))

    assert what.startswith("closing there earns 0.1 %, but two maker fees on binance")
    assert not losses(controller("bollinger_v1", take_profit="0.3%"))


def test_a_take_profit_at_market_is_after_fees_already() -> None:
    assert not losses(controller("bollinger_v1", take_profit="0.1%", take_profit_order_type="MARKET"))


def test_positions_close_at_the_profit_spread_and_not_at_the_other_side() -> None:
    whats = losses(
        perpetual(
            bid_spread=0.01, ask_spread=0.01, long_profit_taking_spread=0.1, short_profit_taking_spread=1
        )
    )

    assert len(whats) == 1
    assert whats[0].startswith("closing there earns 0.1 %")


def test_a_profit_spread_that_is_left_out_is_nought() -> None:
    found = problems({"a": perpetual()}, fees=TENTH)

    assert {problem.path for problem in found} == {
        "config.long_profit_taking_spread",
        "config.short_profit_taking_spread",
    }
    assert all(problem.what.startswith("left out: closing there earns 0 %") for problem in found)


def test_a_hedged_trade_pays_the_maker_here_and_the_taker_there() -> None:
    fees = {"binance": FeeRow(maker=Decimal("0.1")), "kucoin": FeeRow(taker=Decimal("0.2"))}
    (what,) = losses(cross(min_profitability="0.25%"), fees)

    assert what == (
        "a trade earns as little as 0.25 %, but the maker fee on binance and the taker fee on kucoin (policy.fees) "
        "take 0.3 %: each round trip loses 0.05 %"
    )
    assert not losses(cross(min_profitability="0.35%"), fees)
    assert not losses(cross(min_profitability="0.25%"), TENTH)


@pytest.mark.parametrize(
    "text",
    [
        strategy("pmm_dynamic", "binance", buy_spreads="[0.0001]", sell_spreads="[0.0001]", take_profit="1%"),
        strategy(
            "avellaneda_market_making",
            "binance",
            order_amount=1,
            order_refresh_time=30,
            execution_timeframe_mode="infinite",
        ),
    ],
    ids=["multiples of volatility", "no spread of its own"],
)
def test_what_does_not_follow_from_the_file_is_not_reported(text: str) -> None:
    assert not losses(text)
