"""Facts about fields become JSON Schemas, and the overlay is laid over them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.catalog.catalog import CONTROLLER, LEGACY, MODEL
from reconciler.errors import SchemaError
from reconciler.schemagen.nodes import exact, from_legacy, schema_of
from reconciler.schemagen.overlay import Overlay
from reconciler.schemagen.writing import Connectors, text_of, write_schema

CONNECTORS = Connectors(["kraken", "binance"], ["binance_perpetual"])
RULES: dict[str, Any] = {
    "validators": {"check_floor": {"anyOf": [{"const": -1}, {"exclusiveMinimum": 0}]}},
    "units": {"v1": {"percent": ["spread"], "base": ["amount"]}, "v2": {}},
    "absurd_below": {"v1": {0.01: ["spread"]}},
    "bounds": {"v1": {"amount": {"minimum": 0}}, "v2": {"leverage": {"minimum": 1}}},
    "texts": {},
    "roles": {"exchange": ["taker"], "pair": ["taker_pair"], "second_venue": ["taker", "taker_pair"]},
    "relations": [],
    "types": {
        "maker": {
            "exchange": "exchange",
            "pair": "market",
            "venue": "spot",
            "hot": "all",
            "restart": ["mode"],
        }
    },
    "controllers": {},
    "descriptions": {"spread": "How far away."},
}


def legacy(
    field: str, kind: str = "decimal", default: Any = None, required: Any = True, **validator: Any
) -> dict[str, Any]:
    return {
        "name": field,
        "type": kind,
        "default": default,
        "required": required,
        "validator": validator or None,
    }


def field(name: str, kind: str, **more) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": False, "default": None, "updatable": False, **more}


def made(*fields: dict[str, Any], kind: str = LEGACY, rules: dict[str, Any] | None = None) -> dict[str, Any]:
    facts = {"name": "maker", "template_version": 3, "fields": list(fields), "controller_type": "generic"}
    return write_schema(kind, facts, Overlay({**RULES, **(rules or {})}), CONNECTORS)


def test_bounds_of_a_validator_become_bounds_of_the_schema() -> None:
    node = from_legacy(
        legacy("a", name="validate_decimal", min_value=0, max_value={"number": "0.5"}, inclusive=False)
    )

    schema = schema_of(node)

    assert (schema["exclusiveMinimum"], schema["exclusiveMaximum"]) == (0, 0.5)


def test_above_a_whole_number_is_from_the_next_one_on() -> None:
    assert (
        schema_of(from_legacy(legacy("a", "int", name="validate_int", min_value=0, inclusive=False)))[
            "minimum"
        ]
        == 1
    )


def test_numbers_keep_their_digits() -> None:
    assert exact({"a": [{"number": "0.10"}, {"number": "100.0"}, True, None]}) == {
        "a": [0.1, 100, True, None]
    }


def test_a_field_without_a_default_is_required_and_one_with_is_not() -> None:
    schema = made(legacy("a"), legacy("b", default={"number": "2"}))

    assert schema["required"] == ["a"]
    assert schema["properties"]["b"]["default"] == 2


def test_a_condition_of_the_code_becomes_if_and_then() -> None:
    schema = made(
        legacy("source", "str", "own"), legacy("address", "str", required={"field": "source", "is": "api"})
    )

    (rule,) = schema["allOf"]
    assert rule["if"] == {"properties": {"source": {"const": "api"}}, "required": ["source"]}
    assert rule["then"]["required"] == ["address"]


def test_exchange_and_pair_are_no_fields_of_the_config() -> None:
    schema = made(legacy("exchange", "str"), legacy("market", "str"), legacy("spread"))

    assert list(schema["properties"]) == ["spread"]
    assert (schema["x-exchange-field"], schema["x-pair-field"]) == ("exchange", "market")


def test_a_percentage_may_be_written_with_its_unit_and_has_a_value_below_which_it_is_absurd() -> None:
    spread = made(legacy("spread"))["properties"]["spread"]

    assert spread["type"] == ["number", "string"]
    assert (spread["x-unit"], spread["x-absurd-below"], spread["description"]) == (
        "percent",
        0.01,
        "How far away.",
    )


def test_the_overlay_narrows_and_never_widens() -> None:
    narrow = legacy("amount", name="validate_decimal", min_value=5, inclusive=True)

    assert made(narrow)["properties"]["amount"]["minimum"] == 5
    assert made(legacy("amount"))["properties"]["amount"]["minimum"] == 0


def test_a_validator_of_hummingbots_own_without_a_rule_is_an_error_that_says_where() -> None:
    with pytest.raises(SchemaError, match=r"no rule for check_odd, which checks maker\.a"):
        made(legacy("a", name="own", own="check_odd", words=[]))

    assert "anyOf" in made(legacy("a", name="own", own="check_floor", words=[]))["properties"]["a"]


def test_words_that_a_validator_takes_become_a_choice() -> None:
    mode = made(legacy("mode", "str", name="own", own="check_mode", words=["b", "a"]))["properties"]["mode"]

    assert mode["enum"] == ["a", "b"]
    assert mode["x-apply"] == "restart"


def test_a_field_that_holds_an_exchange_takes_the_connectors_that_there_are() -> None:
    taker = made(legacy("taker", "str", name="validate_exchange"))["properties"]["taker"]

    assert taker["enum"] == ["binance", "binance_paper_trade", "kraken", "kraken_paper_trade"]
    assert (taker["x-role"], taker["x-venue"]) == ("exchange", 2)


def test_a_default_that_hummingbot_would_not_survive_is_rendered() -> None:
    spreads = field(
        "spreads", "array", items={"type": "number"}, default="1,2", default_written=[1, 2], text=True
    )

    written = made(spreads, kind=CONTROLLER)["properties"]["spreads"]

    assert written["x-render"] == "1,2"
    assert "default" not in written
    assert written["type"] == ["array", "string"]


def test_what_a_controller_takes_while_it_runs_is_hot() -> None:
    schema = made(field("a", "number", updatable=True), field("b", "number"), kind=CONTROLLER)

    assert [one["x-apply"] for one in schema["properties"].values()] == ["hot", "restart"]
    assert schema["x-controller-type"] == "generic"


def test_a_mode_is_named_if_it_needs_nothing_more() -> None:
    modes = [
        {"type": "model", "title": "plain", "fields": []},
        {"type": "model", "title": "dated", "fields": [field("start", "datetime") | {"required": True}]},
    ]

    schema = made(field("mode", "union", any_of=modes, words=["plain", "dated"]), kind=MODEL)

    assert schema["properties"]["mode"]["anyOf"][0] == {"enum": ["plain"]}


def test_unknown_keys_of_a_nested_model_are_refused_also_where_hummingbot_swallows_them() -> None:
    nested = schema_of({"type": "model", "title": None, "fields": [field("a", "number")]})

    assert nested["additionalProperties"] is False


def test_a_rule_that_meets_no_field_is_found() -> None:
    overlay = Overlay(RULES)
    write_schema(
        LEGACY, {"name": "maker", "fields": [legacy("spread")], "template_version": 1}, overlay, CONNECTORS
    )

    assert overlay.unmet() == ["bounds.v1.amount", "bounds.v2.leverage", "units.v1.amount"]


def test_a_strategy_that_the_overlay_does_not_know_is_an_error() -> None:
    with pytest.raises(SchemaError, match="does not know the strategy other"):
        write_schema(LEGACY, {"name": "other", "fields": []}, Overlay(RULES), CONNECTORS)


def test_the_same_facts_give_the_same_text() -> None:
    assert text_of(made(legacy("spread"))) == text_of(made(legacy("spread")))
