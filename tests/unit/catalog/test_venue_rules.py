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


@pytest.mark.parametrize(
    "kind", ["pmm_simple", "grid_strike", "examples.full_trading_example", "lp_rebalancer"]
)
def test_controllers_that_place_orders_do_not_run_on_paper_trade(kind: str) -> None:
    what, fix = load_catalog().exchange_fault(kind, "kucoin_paper_trade") or ("", "")

    assert what.startswith("controllers that place orders do not run on paper_trade connectors")
    assert fix == "write kucoin, or use a v1 strategy"
    assert load_catalog().exchange_fault(kind, "kucoin") is None


@pytest.mark.parametrize("kind", ["pure_market_making", "examples.price_monitor_controller"])
def test_v1_strategies_and_monitors_do(kind: str) -> None:
    assert load_catalog().exchange_fault(kind, "kucoin_paper_trade") is None


def test_nor_do_they_on_a_second_venue_that_is_paper_trade() -> None:
    pair = {"connector_name": "kucoin_paper_trade", "trading_pair": "SOL-USDT"}

    assert fields("arbitrage_controller", exchange_pair_2=pair) == ["exchange_pair_2.connector_name"]
    assert fields("xemm_multiple_levels", taker_connector="kucoin_paper_trade") == ["taker_connector"]


@pytest.mark.parametrize("exchange", ["hyperliquid_perpetual", "kucoin_perpetual", "dydx_v4_perpetual"])
def test_hedge_mode_is_for_connectors_that_know_it(exchange: str) -> None:
    assert broken("pmm_simple", exchange=exchange, position_mode="HEDGE") == [
        ("position_mode", f"{exchange} knows position mode ONEWAY only, not HEDGE")
    ]
    assert broken("pmm_simple", exchange=exchange) == [
        (
            "position_mode",
            f"left out, Hummingbot's default applies: {exchange} knows position mode ONEWAY only, not HEDGE",
        )
    ]
    assert broken("pmm_simple", exchange=exchange, position_mode="ONEWAY") == []
    assert broken("perpetual_market_making", exchange=exchange, position_mode="Hedge") == [
        ("position_mode", f"{exchange} knows position mode One-way only, not Hedge")
    ]
    assert broken("perpetual_market_making", exchange=exchange) == []
    assert fields("hedge", exchange=exchange, hedge_offsets=[0], hedge_position_mode="HEDGE") == [
        "hedge_position_mode"
    ]


def test_bybit_knows_hedge_mode_for_pairs_in_usdt() -> None:
    assert broken("pmm_simple", exchange="bybit_perpetual", pair="BTC-USDT") == []
    assert fields("pmm_simple", exchange="bybit_perpetual", pair="BTC-USD") == ["position_mode"]


@pytest.mark.parametrize("exchange", ["binance_perpetual", "okx_perpetual", "binance"])
def test_elsewhere_hedge_mode_is_as_good_as_any(exchange: str) -> None:
    assert broken("pmm_simple", exchange=exchange, position_mode="HEDGE") == []


def test_both_venues_of_stat_arb_have_to_know_the_mode() -> None:
    hedge = {"connector_name": "kucoin_perpetual", "trading_pair": "SOL-USDT"}

    assert fields("stat_arb", exchange="binance_perpetual", connector_pair_hedge=hedge) == ["position_mode"]


@pytest.mark.parametrize("source", [{}, {"price_source": "current_market"}, {"price_source": "custom_api"}])
def test_a_source_of_prices_that_is_not_read_is_a_doubt(source) -> None:
    named = {"price_source_exchange": "binance", "price_source_market": "ETH-USDT"}
    doubts = load_catalog().doubts("pure_market_making", {**named, **source})

    read = source.get("price_source", "current_market")
    assert [(doubt.path, doubt.what) for doubt in doubts] == [
        ((field,), f"it is set but price_source is {read}, which does not read it") for field in named
    ]
    assert all(doubt.fix.startswith("write price_source: external_market, or remove") for doubt in doubts)
    assert load_catalog().doubts("pure_market_making", {**named, "price_source": "external_market"}) == []
    assert load_catalog().doubts("pmm_simple", {}) == []


def test_each_source_has_fields_of_its_own() -> None:
    api = {"price_source_custom_api": "http://localhost"}

    assert load_catalog().doubts("perpetual_market_making", {**api, "price_source": "custom_api"}) == []
    assert len(load_catalog().doubts("perpetual_market_making", api)) == 1
    assert (
        len(load_catalog().doubts("perpetual_market_making", {"price_source_derivative": "okx_perpetual"}))
        == 1
    )


@pytest.mark.parametrize("name", ["jupiter/router", "solana-mainnet-beta", "ethereum-base"])
def test_venues_of_gateway_are_refused_as_such_wherever_they_stand(name: str) -> None:
    said = f"{name} is a venue of Hummingbot's Gateway, which is not supported"
    pair = {"connector_name": name, "trading_pair": "SOL-USDC"}
    given = {"connector_2": name, "market_2": "SOL-USDC", "order_amount": 1}
    catalog = load_catalog()

    assert broken("arbitrage_controller", exchange_pair_2=pair) == [("exchange_pair_2.connector_name", said)]
    assert [violation.what for violation in catalog.violations("amm_arb", given)] == [said]
    file = {"strategy_type": "amm_arb", "exchange": name, "trading_pair": "SOL-devUSDC", "config": {}}
    assert [violation.what for violation in catalog.envelope_violations(file)] == [said]


def test_hummingbots_own_default_of_a_second_venue_is_one_of_gateway() -> None:
    ((field, what),) = broken("arbitrage_controller")

    assert field == "exchange_pair_2"
    assert what.startswith("left out, Hummingbot's default applies: jupiter/router is a venue of")


def test_a_name_that_is_no_connector_is_said_to_be_none() -> None:
    pair = {"connector_name": "binnance", "trading_pair": "SOL-USDC"}
    given = {"connector_2": "uniswap_polygon_mainnet", "market_2": "SOL-USDC", "order_amount": 1}

    assert broken("arbitrage_controller", exchange_pair_2=pair) == [
        ("exchange_pair_2.connector_name", "'binnance' is not a connector of Hummingbot")
    ]
    assert [violation.what for violation in load_catalog().violations("amm_arb", given)] == [
        "'uniswap_polygon_mainnet' is not a connector of Hummingbot"
    ]
