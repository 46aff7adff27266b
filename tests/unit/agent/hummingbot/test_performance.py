"""What a bot earned (reconciler/agent/hummingbot/performance.py)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reconciler.agent.hummingbot.performance import (
    Fill,
    Holding,
    as_number,
    performance_from_fills,
    performance_from_report,
)
from reconciler.protocol.messages import Performance, encode
from reconciler.protocol.reports import decode_performance

WHEN = "2026-11-23T20:00:00Z"


def fill(side: str, amount: str, price: str, fee: str = "0", pair: str = "ETH-USDT") -> Fill:
    return Fill("binance", pair, side == "buy", Decimal(price), Decimal(amount), Decimal(fee))


def holdings(fills: Iterable[Fill]) -> dict[tuple[str, str], Holding]:
    found: dict[tuple[str, str], Holding] = {}
    for each in fills:
        found.setdefault((each.exchange, each.trading_pair), Holding()).take(each)
    return found


def figures(*fills: Fill, open_orders: int | None = None) -> Performance:
    return performance_from_fills("mm", WHEN, holdings(fills), open_orders)


def test_a_round_trip_earns_the_difference_less_fees() -> None:
    found = figures(fill("buy", "2", "100", "0.2"), fill("sell", "2", "110", "0.22"))

    assert found.realized_pnl_quote == found.net_pnl_quote == Decimal("19.58")
    assert found.unrealized_pnl_quote == 0
    assert found.volume_quote == Decimal(420)
    assert found.fees_quote == Decimal("0.42")
    assert found.positions == ()


def test_an_open_position_has_a_breakeven_price_and_no_profit_that_nobody_knows() -> None:
    found = figures(fill("buy", "1", "100"), fill("buy", "1", "110"), fill("sell", "0.5", "120"))

    assert found.realized_pnl_quote == Decimal("7.5")
    assert found.unrealized_pnl_quote is None
    assert found.net_pnl_quote is None
    assert found.positions is not None
    (position,) = found.positions
    assert (position.side, position.amount, position.breakeven_price) == ("long", Decimal("1.5"), 105)


def test_more_sold_than_bought_is_a_short_position() -> None:
    found = figures(fill("sell", "2", "100"), fill("buy", "1", "90"))

    assert found.realized_pnl_quote == 10
    assert found.positions is not None
    (position,) = found.positions
    assert (position.side, position.amount, position.breakeven_price) == ("short", 1, 100)


def test_a_fill_that_turns_a_position_around_begins_a_new_one_at_its_price() -> None:
    found = figures(fill("buy", "1", "100"), fill("sell", "3", "110"))

    assert found.realized_pnl_quote == 10
    assert found.positions is not None
    (position,) = found.positions
    assert (position.side, position.amount, position.breakeven_price) == ("short", 2, 110)


def test_pairs_are_held_apart() -> None:
    found = figures(fill("buy", "1", "100"), fill("sell", "1", "100", pair="BTC-USDT"))

    assert found.positions is not None
    assert [position.side for position in found.positions] == ["long", "short"]
    assert found.realized_pnl_quote == 0


def test_a_bot_without_a_fill_has_earned_nothing() -> None:
    found = figures(open_orders=2)

    assert (found.net_pnl_quote, found.volume_quote, found.open_orders) == (0, 0, 2)


_fills = st.lists(
    st.builds(
        Fill,
        exchange=st.just("binance"),
        trading_pair=st.just("ETH-USDT"),
        is_buy=st.booleans(),
        price=st.integers(1, 1000).map(Decimal),
        amount=st.integers(1, 50).map(Decimal),
    ),
    max_size=30,
)


@given(_fills)
def test_profit_is_what_the_money_says(fills: list[Fill]) -> None:
    found = figures(*fills)
    money = sum((f.price * f.amount * (-1 if f.is_buy else 1) for f in fills), Decimal(0))
    amount = sum((f.amount * (1 if f.is_buy else -1) for f in fills), Decimal(0))

    (held,) = holdings(fills).values() or (None,)
    at_cost = amount * held.breakeven_price if held is not None else Decimal(0)

    assert found.realized_pnl_quote is not None
    assert abs(found.realized_pnl_quote - (money + at_cost)) < Decimal("1e-15")


# Controllers.

REPORT = {
    "mm": {
        "performance": {
            "realized_pnl_quote": 1.5,
            "unrealized_pnl_quote": "-2",
            "global_pnl_quote": -0.5,
            "volume_traded": 1000.0,
            "positions_summary": [
                {
                    "connector_name": "binance_perpetual",
                    "trading_pair": "ETH-USDT",
                    "side": "TradeType.SELL",
                    "amount": 0.5,
                    "breakeven_price": 2000.0,
                    "unrealized_pnl_quote": "-2",
                }
            ],
        }
    }
}


def test_a_controller_s_report_is_put_into_the_wire_s_shape() -> None:
    found = performance_from_report("mm", WHEN, REPORT, 4)

    assert found is not None
    assert found.net_pnl_quote == Decimal("-0.5")
    assert found.unrealized_pnl_quote == -2
    assert found.positions is not None
    (position,) = found.positions
    assert (position.exchange, position.side) == ("binance_perpetual", "short")
    assert decode_performance(encode(found)) == found


def test_several_controllers_are_added_up() -> None:
    found = performance_from_report("mm", WHEN, {"a": REPORT["mm"], "b": REPORT["mm"]}, None)

    assert found is not None
    assert (found.volume_quote, found.realized_pnl_quote) == (2000, 3)


def test_a_report_that_says_nothing_gives_no_figures() -> None:
    reports: list[dict[str, Any]] = [{}, {"mm": None}, {"mm": {"performance": None}}, {"mm": []}]
    for report in reports:
        assert performance_from_report("mm", WHEN, report, None) is None


def test_what_is_no_number_is_left_out() -> None:
    broken = {"realized_pnl_quote": float("nan"), "volume_traded": None, "global_pnl_quote": "x"}
    found = performance_from_report(
        "mm", WHEN, {"mm": {"performance": {**broken, "positions_summary": "?"}}}, None
    )

    assert found == Performance(strategy_name="mm", timestamp=WHEN, positions=())
    values: list[Any] = [True, [], "inf", "-3", 0.1]
    assert [as_number(value) for value in values] == [
        None,
        None,
        None,
        -3,
        Decimal("0.1"),
    ]


def test_figures_of_fills_survive_the_wire() -> None:
    found = figures(fill("buy", "0.001", "60000.12", "0.05"), open_orders=1)

    assert decode_performance(encode(found)) == found
    assert msgspec.json.decode(encode(found))["open_orders"] == 1
