from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.spec import StrategySpec
from reconciler.protocol.canonical import canonical_json, hash_of, inventory_digest, spec_hash, wire_json

numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
scalars = st.none() | st.booleans() | st.text(max_size=5) | numbers | st.integers(-(10**30), 10**30)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


def respelled(value: Any) -> Any:
    """The same value, its keys the other way round and its numbers written differently."""
    if isinstance(value, dict):
        return {key: respelled(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [respelled(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    sign, digits, exponent = Decimal(value).as_tuple()
    assert isinstance(exponent, int)
    return Decimal((sign, (*digits, 0, 0), exponent - 2))


@given(values)
def test_key_order_and_spelling_of_numbers_do_not_change_the_canonical_form(value: Any) -> None:
    assert canonical_json(respelled(value)) == canonical_json(value)


@given(numbers, numbers)
def test_different_numbers_have_different_canonical_forms(one: Decimal, other: Decimal) -> None:
    assert (canonical_json(one) == canonical_json(other)) == (one == other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, b"1"),
        (1.0, b"1"),
        (Decimal("1e0"), b"1"),
        (Decimal("-0.0"), b"0"),
        (Decimal("0.10"), b"0.1"),
        (0.1, b"0.1"),
        (True, b"true"),
        (10**14, b"100000000000000"),
        (10**15, b"1E+15"),
        (Decimal("1E+99999999"), b"1E+99999999"),
        ({"b": [1, {"d": 0, "c": None}], "a": "ä"}, '{"a":"ä","b":[1,{"c":null,"d":0}]}'.encode()),
    ],
)
def test_each_value_has_one_canonical_text(value: Any, text: bytes) -> None:
    assert canonical_json(value) == text


def test_a_number_of_any_length_keeps_all_its_digits() -> None:
    digits = "0." + "123456789" * 5_000

    assert canonical_json(Decimal(digits)) == digits.encode()


def test_the_wire_keeps_key_order_and_digits() -> None:
    assert wire_json({"b": Decimal("0.10"), "a": Decimal("1.0")}) == b'{"b":0.10,"a":1.0}'


def spec(**changes: Any) -> StrategySpec:
    fields = {
        "name": "mm",
        "strategy_type": "pmm",
        "exchange": "binance",
        "trading_pair": "BTC-USDT",
        "config": {},
    }
    return StrategySpec(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"strategy_type": "other"},
        {"exchange": "kucoin"},
        {"trading_pair": "ETH-USDT"},
        {"config": {"bid_spread": 1}},
        {"account": "second"},
    ],
)
def test_what_a_bot_runs_is_in_the_hash(changes: dict[str, Any]) -> None:
    assert spec_hash(spec(**changes)) != spec_hash(spec())


def test_what_only_the_controller_knows_is_not_in_the_hash() -> None:
    assert spec_hash(spec(labels={"a": "b"}, wave=3, protect=True, owner="me")) == spec_hash(spec())


def test_the_hash_is_a_fixed_function_that_other_programs_can_compute() -> None:
    body = b'{"account":"default","config":{"bid_spread":0.2},"exchange":"binance","strategy_name":"mm","strategy_type":"pmm","trading_pair":"BTC-USDT"}'
    by_hand = "sha256:" + hashlib.sha256(body).hexdigest()

    assert spec_hash(spec(config={"bid_spread": Decimal("0.20")})) == by_hand
    assert (
        hash_of(
            name="mm",
            strategy_type="pmm",
            exchange="binance",
            trading_pair="BTC-USDT",
            account="default",
            config={"bid_spread": 0.2},
        )
        == by_hand
    )


def test_an_inventory_digest_does_not_depend_on_order() -> None:
    assert inventory_digest({"b", "a"}) == inventory_digest(["a", "b"])
    assert inventory_digest([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
