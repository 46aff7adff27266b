"""
Facts about one field's type → its JSON Schema. Pure.

Rule 1: what Hummingbot takes and keeps as written is allowed; what it drops or changes is not.
Rule 2: numbers keep their digits: facts carry them as texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

Facts: TypeAlias = Mapping[str, Any]
Schema: TypeAlias = dict[str, Any]

NUMBER = r"-?[0-9]*\.?[0-9]+"
POSITIVE = r"([0-9]*[1-9][0-9]*(\.[0-9]+)?|[0-9]*\.[0-9]*[1-9][0-9]*)"

NUMBERS = rf"^{NUMBER}( ?, ?{NUMBER})*$"
"""Numbers parted by commas, as Hummingbot's prompts ask for lists."""

BOUNDS = ("minLength", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")

_TIMES = {
    "datetime": r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
    "time": r"^[0-9]{2}:[0-9]{2}:[0-9]{2}$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
}


def exact(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """A fact's value with its numbers as numbers: `{"number": "0.10"}` is 0.1."""
    if isinstance(value, Mapping) and set(value) == {"number"}:
        number = Decimal(value["number"])
        return int(number) if number == number.to_integral_value() else float(number)
    if isinstance(value, Mapping):
        return {key: exact(one) for key, one in value.items()}
    return [exact(one) for one in value] if isinstance(value, list) else value


def schema_of(facts: Facts) -> Schema:
    """The JSON Schema of a field's value."""
    schema = _WRITERS.get(facts["type"], _plain)(facts)
    schema.update({key: exact(facts[key]) for key in BOUNDS if key in facts})
    if facts["type"] == "integer" and "exclusiveMinimum" in schema:
        schema["minimum"] = schema.pop("exclusiveMinimum") + 1
    return _nullable(schema) if facts.get("nullable") or facts.get("null") else schema


def _plain(facts: Facts) -> Schema:
    return {"type": facts["type"]}


def _any(facts: Facts) -> Schema:
    del facts
    return {}


def _enum(facts: Facts) -> Schema:
    words = list(facts.get("words") or facts["values"])
    return {"enum": sorted(words) if all(isinstance(word, str) for word in words) else words}


def _array(facts: Facts) -> Schema:
    types = ["array"]
    schema: Schema = {"type": types}
    if facts.get("items"):
        schema["items"] = schema_of(facts["items"])
    if facts.get("text"):
        types.append("string")
        schema["pattern"] = NUMBERS
    if facts.get("alone"):
        types.append("number")
    return schema if len(types) > 1 else {**schema, "type": "array"}


def _object(facts: Facts) -> Schema:
    schema: Schema = {"type": "object"}
    if facts.get("of", {}).get("type", "any") != "any":
        schema["additionalProperties"] = schema_of(facts["of"])
    return schema


def _model(facts: Facts) -> Schema:
    """A model's mapping; unknown keys are refused also where Hummingbot swallows them."""
    schema: Schema = {
        "type": "object",
        "properties": {one["name"]: schema_of(one) for one in facts["fields"]},
        "additionalProperties": False,
    }
    required = [one["name"] for one in facts["fields"] if one["required"]]
    if required:
        schema["required"] = required
    if facts.get("text"):
        schema["type"], schema["pattern"] = ["object", "string"], _as_text(facts["fields"])
    return schema


def _as_text(fields: Sequence[Facts]) -> str:
    """A model's numbers parted by commas, in the order of its fields."""
    numbers = [POSITIVE if "exclusiveMinimum" in field else NUMBER for field in fields]
    return f"^{' ?, ?'.join(numbers)}$"


def _union(facts: Facts) -> Schema:
    """One of several models, or the title of one that needs nothing more."""
    models: Sequence[Facts] = facts["any_of"]
    bare = [one["title"] for one in models if not any(field["required"] for field in one["fields"])]
    words = [word for word in facts.get("words", ()) if word in bare]
    return {"anyOf": [*([{"enum": words}] if words else []), *(schema_of(one) for one in models)]}


def _time(facts: Facts) -> Schema:
    return {"type": "string", "pattern": _TIMES[facts["type"]]}


def _nullable(schema: Schema) -> Schema:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    types = schema.get("type", [])
    return {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]} if types else schema


_WRITERS = {
    "any": _any,
    "enum": _enum,
    "array": _array,
    "object": _object,
    "model": _model,
    "union": _union,
    **dict.fromkeys(_TIMES, _time),
}


# The strategies with ConfigVars, in the same words.

_LEGACY_TYPES = {
    "decimal": "number",
    "float": "number",
    "int": "integer",
    "bool": "boolean",
    "str": "string",
    "json": "object",
    "list": "array",
}

_CONNECTORS = {
    "validate_exchange": "spot",
    "validate_derivative": "perpetual",
    "validate_connector": "any",
}


def from_legacy(field: Facts) -> dict[str, Any]:
    """One ConfigVar's facts as a node. `own`: its own validator's name, for the overlay. `when`: its condition."""
    default, required = field["default"], field["required"]
    is_code = isinstance(default, Mapping) and "code" in default
    has_default = default is not None and not is_code
    node: dict[str, Any] = {
        "name": field["name"],
        "type": _LEGACY_TYPES[field["type"]],
        "required": required is True and not has_default and not is_code,
        "default": default if has_default else None,
        "nullable": not has_default and required is not True,
        "updatable": False,
    }
    if isinstance(required, Mapping) and not has_default:
        node["when"] = required
    if field["type"] == "str":
        node["minLength"] = 1  # the loader takes an empty text for one that is not there
    return node | _from_validator(field["validator"] or {})


def _from_validator(validator: Facts) -> dict[str, Any]:
    if validator.get("name") in _CONNECTORS:
        return {"connectors": _CONNECTORS[validator["name"]]}
    if validator.get("name") == "own":
        words = validator["words"]
        is_enum = bool(words) and not any(word.lstrip("-").isdigit() for word in words)
        return (
            {"type": "enum", "values": words} if is_enum else {"own": validator["own"], "free": words is None}
        )
    open_ended = not validator.get("inclusive", True)
    found = {}
    if validator.get("min_value") is not None:
        found["exclusiveMinimum" if open_ended else "minimum"] = validator["min_value"]
    if validator.get("max_value") is not None:
        found["exclusiveMaximum" if open_ended else "maximum"] = validator["max_value"]
    return found
