"""What Hummingbot's connectors cannot do is an error of the strategy that asks for it."""

from __future__ import annotations

import pytest

from reconciler.catalog.loading import load_catalog


def broken(
    kind: str, *, exchange: str = "binance", pair: str = "ETH-USDT", **config
) -> list[tuple[str, str]]:
    found = load_catalog().relations(kind, config, exchange=exchange, trading_pair=pair)
    assert all(violation.fix for violation in found)
    return [(".".join(map(str, violation.path)), violation.what) for violation in found]


def fields(kind: str, **how) -> list[str]:
    return [field for field, _ in broken(kind, **how)]


@pytest.mark.parametrize("connector", ["xrpl", "binance_paper_trade", "binance_perpetual_testnet", "nobody"])
def test_candles_come_from_a_connector_that_has_them(connector: str) -> None:
    assert broken("bollinger_v1", position_mode="ONEWAY", candles_connector=connector) == [
        ("candles_connector", f"Hummingbot 20260922 has no candles of {connector}")
    ]


@pytest.mark.parametrize("named", [{}, {"candles_connector": None}])
def test_candles_are_those_of_the_strategys_own_exchange_unless_another_one_is_named(named) -> None:
    ((field, what),) = broken("supertrend_v1", exchange="xrpl", **named)

    assert field == "candles_connector"
    assert what.startswith("Hummingbot 20260922 has no candles of xrpl, the strategy's own exchange")
    assert broken("supertrend_v1", exchange="xrpl", candles_connector="binance") == []
    assert broken("supertrend_v1", exchange="binance_perpetual", **named) == []


def test_a_connector_knows_some_lengths_of_candles() -> None:
    assert broken("macd_bb_v1", exchange="kraken", interval="5m") == []
    assert broken("macd_bb_v1", exchange="kraken", interval="7m") == [
        ("interval", "'7m' is no length of candles that kraken has")
    ]
    assert broken("macd_bb_v1", exchange="kraken", candles_connector="okx", interval="3m") == []


def test_a_length_that_is_left_out_is_hummingbots_default() -> None:
    assert broken("macd_bb_v1", exchange="kraken") == [
        ("interval", "left out, Hummingbot's default applies: '3m' is no length of candles that kraken has")
    ]


def test_each_feed_of_a_list_is_held_to_the_same() -> None:
    good = {"connector": "binance", "trading_pair": "SOL-USDT", "interval": "1m", "max_records": 100}
    bad = {"connector": "xrpl", "trading_pair": "SOL-USDT", "interval": "7m", "max_records": 0}

    assert fields("examples.candles_data_controller", candles_config=[good, bad]) == [
        "candles_config.1.connector",
        "candles_config.1.interval",
        "candles_config.1.max_records",
    ]
    assert fields("lp_rebalancer", pool_address="a", candles_config=[bad | {"max_records": 1}]) == [
        "candles_config.0.connector",
        "candles_config.0.interval",
    ]


def test_controllers_that_take_candles_of_both_venues_need_them_of_both() -> None:
    hedge = {"connector_name": "mexc", "trading_pair": "SOL-USDT"}

    assert fields("stat_arb", connector_pair_hedge=hedge, interval="3m") == ["interval"]
    assert fields("stat_arb", connector_pair_hedge=hedge | {"connector_name": "xrpl"}) == [
        "connector_pair_hedge.connector_name"
    ]
    assert fields("quantum_grid_allocator", exchange="xrpl", interval="1m") == ["interval"]


def test_a_v1_strategys_interval_is_no_candle() -> None:
    assert broken("liquidity_mining", token="ETH", volatility_interval=7) == []
