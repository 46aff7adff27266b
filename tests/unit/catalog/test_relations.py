"""Fields that have to fit each other are checked together."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.catalog.loading import load_catalog

AMOUNTS: dict[str, Any] = {
    "buy_spreads": [1, 2],
    "sell_spreads": [1],
    "buy_amounts_pct": [1, 1],
    "sell_amounts_pct": [1],
}


def broken(
    kind: str, *, exchange: str = "binance", pair: str = "ETH-USDT", **config
) -> list[tuple[str, str]]:
    found = load_catalog().relations(kind, config, exchange=exchange, trading_pair=pair)
    return [(str(violation.path[0]), violation.what) for violation in found]


def test_lists_that_belong_together_have_as_many_items() -> None:
    assert broken("pmm_simple", **AMOUNTS) == []
    assert broken("pmm_simple", **AMOUNTS | {"buy_amounts_pct": [1]}) == [
        ("buy_amounts_pct", "1 items, but buy_spreads has 2")
    ]


@pytest.mark.parametrize("spreads", ["0.1,0.2", [1, 2]])
def test_a_text_counts_as_the_list_that_it_stands_for(spreads) -> None:
    assert broken("pmm_simple", buy_spreads=spreads, buy_amounts_pct="1, 2") == []


def test_a_list_that_is_left_out_is_held_to_hummingbots_own_default() -> None:
    ((field, what),) = broken("dman_maker_v2", dca_spreads=[1, 2])

    assert field == "dca_amounts"
    assert what == "left out, Hummingbot's default applies: 4 items, but dca_spreads has 2"


def test_another_price_source_is_another_exchange() -> None:
    assert broken("pure_market_making", price_source_exchange="kucoin") == []
    assert broken("pure_market_making", price_source_exchange="binance") == [
        ("price_source_exchange", "binance is the strategy's own exchange")
    ]


@pytest.mark.parametrize(("token", "good"), [("USDT", True), ("eth", True), ("SOL", True), ("BTC", False)])
def test_liquidity_is_provided_in_an_asset_of_the_pairs(token: str, *, good: bool) -> None:
    assert (broken("liquidity_mining", markets="ETH-USDT,SOL-USDT", token=token) == []) is good


def test_without_a_list_of_pairs_the_strategys_own_counts() -> None:
    assert broken("liquidity_mining", token="ETH") == []
    assert broken("hedge", hedge_offsets=[0]) == []
    assert broken("hedge", hedge_offsets=[0, 0]) != []


def test_parts_of_a_whole_stay_below_it() -> None:
    assert broken("quantum_grid_allocator", portfolio_allocation={"SOL": 0, "ETH": 0}) == []
    assert broken("quantum_grid_allocator", portfolio_allocation={"SOL": 1}) != []


def test_a_type_without_such_rules_has_none_to_break() -> None:
    assert broken("avellaneda_market_making", order_amount=1) == []
