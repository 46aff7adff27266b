"""What is a trading pair, to files and schemas, to policy and to agents: one pattern, and one fault in words."""

from __future__ import annotations

import re

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.catalog.loading import load_catalog
from reconciler.model.pair import PAIR, PAIRS, pair_fault

PAIR_NAMES = [
    "BTC-USDT",
    "xyz:NVDA-USD",
    "$NUT-USDT",
    "USDC.e-USDC",
    "USDC.rh-XRP",
    "kPEPE-USD",
    "stETH-USDT",
    "币安人生-USDT",
    "SOL-devUSDC",
    "1000PEPE-USDT",
    "USDT0-USDT",
    "1INCH-USDT",
    "$michi-SOL",
    "🐕-SOL",
]
NO_PAIRS = {
    "IOTA_USDT": "there is no - between base and quote",
    "BTC/USDT": "there is no - between base and quote",
    "BTC–USDT": "there is no - between base and quote",
    "BTC-USD-PERP": "there is more than one -",
    "btc-usdt": "btc has no capital letter",
    "BTC-usdt": "usdt has no capital letter",
    "BTC-": "an asset is empty",
    "BTC -USDT": "has a sign that no asset has",
    "BTC-USDT\n": "has a sign that no asset has",
    "ВTC-USDT": "has a sign that no asset has",
    "A*-USDT": "has a sign that no asset has",
    "A/B-USDT": "has a sign that no asset has",
    f"{'A' * 80}-USDT": "too long",
}


@pytest.mark.parametrize("name", PAIR_NAMES)
def test_a_market_of_an_exchange_is_a_pair_and_a_pattern_of_itself(name: str) -> None:
    assert PAIR.fullmatch(name)
    assert PAIRS.fullmatch(name)


@pytest.mark.parametrize(("text", "cause"), NO_PAIRS.items())
def test_what_is_no_pair_has_a_cause_and_advice(text: str, cause: str) -> None:
    what, fix = pair_fault(text)

    assert not PAIR.fullmatch(text)
    assert cause in what
    assert fix.startswith("write ")


def test_advice_spells_no_asset_otherwise_than_its_author() -> None:
    assert "KPEPE" not in " ".join(pair_fault("kpepe-usd"))


@pytest.mark.parametrize("pattern", ["*", "*-USDT", "*-*", "k*-USD", "xyz:*-USD", "BTC-*"])
def test_a_pattern_of_pairs_has_stars(pattern: str) -> None:
    assert PAIRS.fullmatch(pattern)


@pytest.mark.parametrize("pattern", ["*USDT", "a?-B", "[AB]*-C", "btc-*", "*-*-*", ""])
def test_what_fits_no_pair_is_no_pattern(pattern: str) -> None:
    assert not PAIRS.fullmatch(pattern)


@given(st.text(max_size=12) | st.from_regex(re.compile(r"[A-Za-z$:._-]{1,6}-[A-Za-z/]{1,4}"), fullmatch=True))
def test_the_schema_and_the_agent_give_the_same_verdict(text: str) -> None:
    validator = jsonschema_rs.Draft202012Validator({"pattern": f"^{PAIR.pattern}$"})

    assert validator.is_valid(text) == (PAIR.fullmatch(text) is not None)


def test_the_schemas_have_this_pattern() -> None:
    catalog = load_catalog()
    data = {"strategy_type": "pure_market_making", "exchange": "binance", "config": {}}
    field = catalog.schema("amm_arb")["properties"]["market_2"]

    assert field["pattern"] == f"^{PAIR.pattern}$"
    assert all(catalog.envelope_is_valid({**data, "trading_pair": name}) for name in PAIR_NAMES)
    assert not any(catalog.envelope_is_valid({**data, "trading_pair": text}) for text in NO_PAIRS)
