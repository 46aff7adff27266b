"""A strategy becomes Hummingbot's own file, and comes back."""

from __future__ import annotations

from decimal import Decimal

import pytest
import yaml

from reconciler.catalog.loading import examples_dir, load_catalog
from reconciler.catalog.mapping import UnmappedPair, from_hummingbot, to_hummingbot, to_yaml
from reconciler.sources.check import check

EXAMPLES = sorted((examples_dir() / "strategies").glob("*.yaml"))


def mapped(kind: str, exchange: str = "binance", pair: str = "BTC-USDT", **config):
    return to_hummingbot(load_catalog(), kind, name="mm", exchange=exchange, trading_pair=pair, config=config)


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("pure_market_making", {"exchange": "binance", "market": "BTC-USDT"}),
        ("avellaneda_market_making", {"exchange": "binance", "market": "BTC-USDT"}),
        ("perpetual_market_making", {"derivative": "binance", "market": "BTC-USDT"}),
        ("liquidity_mining", {"exchange": "binance", "markets": "BTC-USDT"}),
        ("cross_exchange_mining", {"maker_market": "binance", "maker_market_trading_pair": "BTC-USDT"}),
        ("amm_arb", {"connector_1": "binance", "market_1": "BTC-USDT"}),
        ("spot_perpetual_arbitrage", {"spot_connector": "binance", "spot_market": "BTC-USDT"}),
        ("hedge", {"hedge_connector": "binance", "hedge_markets": ["BTC-USDT"]}),
        ("pmm_simple", {"connector_name": "binance", "trading_pair": "BTC-USDT"}),
        (
            "arbitrage_controller",
            {"exchange_pair_1": {"connector_name": "binance", "trading_pair": "BTC-USDT"}},
        ),
    ],
)
def test_exchange_and_pair_stand_where_the_strategy_looks_for_them(kind: str, places) -> None:
    assert mapped(kind).data.items() >= places.items()


def test_a_legacy_file_begins_with_the_template_version_that_keeps_it_from_being_rewritten() -> None:
    file = mapped("pure_market_making", bid_spread=Decimal("0.1"))

    assert list(file.data)[:2] == ["template_version", "strategy"]
    assert file.data["template_version"] == 24
    assert file.kind == "v1"


def test_a_pydantic_strategy_gets_no_template_version_which_it_would_refuse() -> None:
    assert "template_version" not in mapped("avellaneda_market_making").data


def test_a_controller_is_named_so_that_it_is_the_same_one_at_every_reload() -> None:
    file = mapped("pmm_simple")

    assert file.kind == "controller"
    assert (file.data["id"], file.data["controller_name"], file.data["controller_type"]) == (
        "mm",
        "pmm_simple",
        "market_making",
    )


def test_defaults_that_hummingbot_would_not_survive_are_written_into_its_file() -> None:
    assert mapped("pmm_simple").data["buy_spreads"] == "0.01,0.02"
    assert mapped("amm_arb").data["market_1_slippage_buffer"] == 0
    assert mapped("hedge").data["connector_4"] == "n"


def test_candles_come_from_the_strategys_own_market_unless_it_says_otherwise() -> None:
    assert mapped("bollinger_v1").data["candles_connector"] is None  # which its validator fills in
    assert mapped("bollinger_v1", candles_connector="okx").data["candles_connector"] == "okx"


def test_several_pairs_go_into_one_field_the_strategys_own_first() -> None:
    several = mapped("liquidity_mining", pair="ETH-USDT", markets="ETH-USDT, SOL-USDT")

    assert several.data["markets"] == "ETH-USDT,SOL-USDT"
    assert mapped("hedge", hedge_markets=["BTC-USDT", "ETH-USDT"]).data["hedge_markets"] == [
        "BTC-USDT",
        "ETH-USDT",
    ]


def test_a_list_of_pairs_that_begins_with_another_one_is_refused() -> None:
    with pytest.raises(UnmappedPair, match="begins with SOL-USDT"):
        mapped("liquidity_mining", pair="ETH-USDT", markets="SOL-USDT,ETH-USDT")


def test_what_stands_next_to_an_exchange_below_one_field_is_kept() -> None:
    data = mapped(
        "arbitrage_controller", exchange_pair_2={"connector_name": "okx", "trading_pair": "A-B"}
    ).data

    assert data["exchange_pair_2"] == {"connector_name": "okx", "trading_pair": "A-B"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("1E+2"), "100"),
        (Decimal("1.0"), "1"),
        (Decimal("0.10"), "0.10"),
        (7, "7"),
        (True, "true"),
        ("no", "'no'"),
        ("2026-01-02 03:04:05", "'2026-01-02 03:04:05'"),
        ("1e3", "'1e3'"),
        (None, "null"),
    ],
)
def test_the_text_is_read_back_as_the_same_value_by_yaml_1_1(value, text: str) -> None:
    written = to_yaml(mapped("pure_market_making", order_amount=value))

    assert f"order_amount: {text}\n" in written or text == "'1e3'"
    assert yaml.safe_load(written)["order_amount"] == (float(value) if isinstance(value, Decimal) else value)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_there_and_back_gives_the_same_strategy(file) -> None:
    catalog = load_catalog()
    (spec,) = check(file.read_bytes(), file.name, catalog).specs
    data = to_hummingbot(
        catalog,
        spec.strategy_type,
        name=file.stem,
        exchange=spec.exchange,
        trading_pair=spec.trading_pair,
        config=spec.config,
    )
    layout = catalog.layout(spec.strategy_type)

    exchange, pair, config = from_hummingbot(catalog, spec.strategy_type, yaml.safe_load(to_yaml(data)))

    assert exchange == (spec.exchange if layout.exchange else "")
    assert pair == (spec.trading_pair if layout.pair else "")
    assert config == spec.config


def test_fields_that_say_nothing_do_not_come_back() -> None:
    _, _, config = from_hummingbot(
        load_catalog(),
        "pure_market_making",
        {"strategy": "pure_market_making", "price_source_exchange": None},
    )

    assert config == {}
