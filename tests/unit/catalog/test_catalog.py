"""Two validators, one verdict; and what the planner and the agent ask the catalog for."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.catalog import Catalog
from reconciler.catalog.loading import (
    HUMMINGBOT_VERSION,
    load_catalog,
    schema_names,
    schema_text,
    schemas_dir,
)
from reconciler.catalog.units import convert, in_percent, plainly
from reconciler.catalog.violations import explain
from reconciler.sources.check import check

PMM = "pure_market_making"
ROOT = Path(__file__).parents[3]
GOOD: dict[str, Any] = {"bid_spread": 1, "ask_spread": Decimal("0.1"), "order_amount": 1}

values = (
    st.none()
    | st.booleans()
    | st.integers(-200, 200)
    | st.decimals(-200, 200, places=3)
    | st.sampled_from(["", "x", "0.1%", "mid_price", "external_market", "1,2", "1,2\n", "buy", "binance\n"])
    | st.sampled_from([Decimal("1e-400"), Decimal("99.99999999999999999999"), Decimal("1e400"), 10**20])
    | st.just({"a": ["buy", 1, Decimal("0.1")]})
    | st.lists(st.integers(0, 2), max_size=3)
)
field_names = sorted(load_catalog().fields(PMM))


@given(st.dictionaries(st.sampled_from([*field_names, "unknown"]), values, max_size=6))
def test_the_fast_validator_and_the_explaining_one_give_the_same_verdict(some) -> None:
    catalog = load_catalog()
    config = GOOD | some

    assert catalog.is_valid(PMM, config) == (catalog.violations(PMM, config) == [])


@given(st.dictionaries(st.sampled_from(["state", "wave", "labels", "exchange", "x"]), values, max_size=4))
def test_so_they_do_on_the_file_itself(some) -> None:
    catalog = load_catalog()
    data = {"strategy_type": PMM, "exchange": "binance", "trading_pair": "A-B", "config": {}} | some

    assert catalog.envelope_is_valid(data) == (catalog.envelope_violations(data) == [])


@pytest.mark.parametrize("value", ["BTC-USDT\n", "\nBTC-USDT", "BTC-USDT\u2028"])
def test_a_line_break_at_the_end_is_found_by_both(value: str) -> None:
    data = {"strategy_type": PMM, "exchange": "binance", "trading_pair": value, "config": {}}

    (violation,) = load_catalog().envelope_violations(data)

    assert violation.path == ("trading_pair",)


def test_what_only_the_deciding_validator_finds_is_an_error_all_the_same() -> None:
    (violation,) = explain({"a": 1}, {"properties": {"a": {"type": "number"}}}, "it")

    assert "does not match its schema" in violation.what


def test_whole_decimals_are_whole_numbers_to_both() -> None:
    catalog = load_catalog()

    assert catalog.is_valid(PMM, GOOD | {"order_levels": Decimal("2.0")})
    assert catalog.violations(PMM, GOOD | {"order_levels": Decimal("2.0")}) == []


def test_a_bot_is_sent_numbers_never_percent_signs() -> None:
    assert not load_catalog().is_valid(PMM, GOOD | {"bid_spread": "0.1%"})


@pytest.mark.parametrize("kind", load_catalog().types)
def test_every_field_says_whether_it_applies_live(kind: str) -> None:
    schema = json.loads(schema_text(f"strategies/{HUMMINGBOT_VERSION}/{kind}.schema.json"))

    assert {field["x-apply"] for field in schema["properties"].values()} <= {"hot", "restart"}


@pytest.mark.parametrize("kind", [kind for kind in load_catalog().types if load_catalog().layout(kind).venue])
def test_every_number_of_a_v1_strategy_has_a_unit_and_words(kind: str) -> None:
    schema = json.loads(schema_text(f"strategies/{HUMMINGBOT_VERSION}/{kind}.schema.json"))

    for name, field in schema["properties"].items():
        if "number" in field.get("type", ()) or field.get("type") == "integer":
            assert "x-unit" in field, name
            assert field["description"].endswith("."), name


def test_what_is_not_known_needs_a_restart_and_has_no_unit() -> None:
    catalog = load_catalog()

    assert (catalog.apply_mode(PMM, "bid_spread"), catalog.unit(PMM, "bid_spread")) == ("hot", "percent")
    assert (catalog.apply_mode(PMM, "nonsense"), catalog.unit("nonsense", "x")) == ("restart", "")


def test_defaults_fill_only_what_is_left_out() -> None:
    full = load_catalog().with_defaults(PMM, {"order_levels": 3})

    assert full["order_levels"] == 3
    assert full["max_order_age"] == 1800


def test_another_schema_needs_no_code() -> None:
    schema = (
        b'{"type":"object","properties":{"a":{"type":"number","x-unit":"base"}},"additionalProperties":false}'
    )
    catalog = Catalog.from_schemas(schema_text("strategy.schema.json").encode(), {"other": schema})

    assert catalog.types == ("other",)
    assert catalog.is_valid("other", {"a": 1})
    assert catalog.violations("other", {"b": 1})[0].key


def test_numbers_of_a_schema_are_as_exact_as_those_of_a_config() -> None:
    schema = b'{"properties":{"a":{"type":"number","x-unit":"percent","default":0.1,"x-absurd-below":0.01}}}'
    catalog = Catalog.from_schemas(schema_text("strategy.schema.json").encode(), {"other": schema})

    (field,) = catalog.may_be_absurd("other")
    assert (field.default, field.absurd_below) == (Decimal("0.1"), Decimal("0.01"))
    assert catalog.with_defaults("other", {})["a"] == Decimal("0.1")


def test_a_percentage_that_may_be_left_empty_may_be_sent_empty() -> None:
    schema = b'{"properties":{"a":{"type":["number","string","null"],"pattern":"%$","x-unit":"percent"}}}'
    catalog = Catalog.from_schemas(schema_text("strategy.schema.json").encode(), {"other": schema})

    assert catalog.is_valid("other", {"a": None})
    assert not catalog.is_valid("other", {"a": "1%"})


def test_the_schema_hash_changes_with_any_schema() -> None:
    envelope = schema_text("strategy.schema.json").encode()
    one = Catalog.from_schemas(envelope, {"a": b'{"properties":{}}'})
    two = Catalog.from_schemas(envelope, {"a": b'{"properties":{} }'})

    assert one.schema_hash != two.schema_hash


def test_schemas_are_valid_and_the_editors_envelope_names_every_type() -> None:
    from jsonschema import Draft202012Validator

    envelope = json.loads(schema_text("strategy.schema.json"))
    every, *branches = envelope["allOf"]
    named = {branch["if"]["properties"]["strategy_type"]["const"] for branch in branches}

    for file in schemas_dir().rglob("*.schema.json"):
        Draft202012Validator.check_schema(json.loads(file.read_text()))
    assert named == set(load_catalog().types)
    assert named == set(every["properties"]["strategy_type"]["enum"])


def editors_view() -> Any:
    """The whole schema of a file as an editor reads it, `config` by its type included."""
    import referencing
    from jsonschema import Draft202012Validator

    names = schema_names()
    found = {f"https://example.org/{name}": json.loads(schema_text(name)) for name in names}
    resources = {
        address: referencing.Resource.from_contents({**schema, "$id": address})
        for address, schema in found.items()
    }
    registry = referencing.Registry().with_resources(resources.items())
    return Draft202012Validator({"$ref": "https://example.org/strategy.schema.json"}, registry=registry)


@pytest.mark.parametrize(
    "file",
    sorted(ROOT.glob("strategies/*.yaml"))
    + sorted(ROOT.glob("examples/fleet/*.yaml"))
    + sorted(ROOT.glob("examples/strategies/*.yaml")),
)
def test_our_own_files_are_right_to_an_editor_and_to_us(file: Path) -> None:
    text = file.read_bytes()
    checked = check(text, file.name, load_catalog())

    assert (checked.problems, len(checked.specs)) == ((), 1)
    assert editors_view().is_valid(yaml.safe_load(text))
    modeline = text.decode().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / modeline).resolve() == (ROOT / "schemas" / "strategy.schema.json").resolve()


def test_an_editor_completes_and_checks_the_config_of_the_type() -> None:
    file = {"strategy_type": PMM, "exchange": "binance", "trading_pair": "A-B"}

    assert editors_view().is_valid(
        {**file, "config": {"bid_spread": "0.1%", "ask_spread": 1, "order_amount": 1}}
    )
    assert not editors_view().is_valid(
        {**file, "config": {"bid_spred": 1, "ask_spread": 1, "order_amount": 1}}
    )


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.1%", "percent", "0.1"),
        ("10bps", "percent", "0.1"),
        ("0.1%", "fraction", "0.001"),
        ("10bps", "fraction", "0.001"),
        ("-5 %", "percent", "-5"),
    ],
)
def test_units_convert_exactly(text: str, unit: str, value: str) -> None:
    assert convert(text, unit) == Decimal(value)


@pytest.mark.parametrize(("text", "unit"), [("0.1%", "base"), ("1 percent", "percent"), ("%", "percent")])
def test_what_is_no_percentage_is_not_converted(text: str, unit: str) -> None:
    assert convert(text, unit) is None


def test_a_fraction_is_shown_as_a_percentage() -> None:
    assert in_percent(Decimal("0.001"), "fraction") == Decimal("0.1")


def test_conversion_keeps_every_digit() -> None:
    assert convert("12345678901234567890.12345678901234567890bps", "fraction") == Decimal(
        "1234567890123456.789012345678901234567890"
    )


@pytest.mark.parametrize(
    ("number", "text"), [("0.10", "0.1"), ("1E+2", "100"), ("0", "0"), ("1e-300", "1E-300")]
)
def test_numbers_are_shown_as_people_write_them(number: str, text: str) -> None:
    assert plainly(Decimal(number)) == text


def test_an_explanation_cuts_long_values() -> None:
    (violation,) = explain({"a": "x" * 500}, {"properties": {"a": {"enum": ["y"]}}}, "it")

    assert len(violation.what) < 100
