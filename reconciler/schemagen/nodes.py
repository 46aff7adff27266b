"""
Facts about one field's type → its JSON Schema.

Rule 1: pure: the same facts give the same schema.
Rule 2: what Hummingbot takes and keeps as written is allowed; what it drops or changes is not.
Rule 3: numbers keep their digits: facts carry them as texts.
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
"""Numbers separated by commas, as Hummingbot's prompts ask for lists."""

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
    schema = _of_type(facts)
    schema.update({key: exact(facts[key]) for key in BOUNDS if key in facts})
    if facts["type"] == "integer" and "exclusiveMinimum" in schema:
        schema["minimum"] = schema.pop("exclusiveMinimum") + 1
    if not (facts.get("nullable") or facts.get("null")):
        return schema
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    types = schema.get("type", [])
    return {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]} if types else schema


def _of_type(facts: Facts) -> Schema:  # noqa: C901  (one case for each type)
    """The schema of a type, its bounds and whether it may be null aside."""
    schema: Schema = {"type": facts["type"]}
    match facts["type"]:
        case "any":
            return {}
        case "enum":
            words = list(facts.get("words") or facts["values"])
            return {"enum": sorted(words) if all(isinstance(word, str) for word in words) else words}
        case "datetime" | "time" | "date" as kind:
            return {"type": "string", "pattern": _TIMES[kind]}
        case "array":
            types = ["array"]
            if facts.get("items"):
                schema["items"] = schema_of(facts["items"])
            if facts.get("text"):
                types.append("string")
                schema["pattern"] = NUMBERS
            if facts.get("alone"):
                types.append("number")
            schema["type"] = types if len(types) > 1 else "array"
        case "object":
            if facts.get("of", {}).get("type", "any") != "any":
                schema["additionalProperties"] = schema_of(facts["of"])
        case "model":
            return _of_model(facts)
        case "union":  # one of several models, or the title of one that needs nothing more
            models: Sequence[Facts] = facts["any_of"]
            bare = [one["title"] for one in models if not any(field["required"] for field in one["fields"])]
            words = [word for word in facts.get("words", ()) if word in bare]
            return {"anyOf": [*([{"enum": words}] if words else []), *(schema_of(one) for one in models)]}
    return schema


def _of_model(facts: Facts) -> Schema:
    """A model's mapping; unknown keys are refused also where Hummingbot ignores them."""
    fields: Sequence[Facts] = facts["fields"]
    schema: Schema = {
        "type": "object",
        "properties": {one["name"]: schema_of(one) for one in fields},
        "additionalProperties": False,
    }
    required = [one["name"] for one in fields if one["required"]]
    if required:
        schema["required"] = required
    if facts.get("text"):  # its numbers separated by commas, in the order of its fields
        numbers = [POSITIVE if "exclusiveMinimum" in field else NUMBER for field in fields]
        schema["type"], schema["pattern"] = ["object", "string"], f"^{' ?, ?'.join(numbers)}$"
    return schema


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
        node["minLength"] = 1  # the loader takes an empty text for a missing one
    validator = field["validator"] or {}
    if validator.get("name") in _CONNECTORS:
        return node | {"connectors": _CONNECTORS[validator["name"]]}
    if validator.get("name") == "own":
        words = validator["words"]
        is_enum = bool(words) and not any(word.lstrip("-").isdigit() for word in words)
        own = {"own": validator["own"], "free": words is None}
        return node | ({"type": "enum", "values": words} if is_enum else own)
    inclusive = validator.get("inclusive", True)
    if validator.get("min_value") is not None:
        node["minimum" if inclusive else "exclusiveMinimum"] = validator["min_value"]
    if validator.get("max_value") is not None:
        node["maximum" if inclusive else "exclusiveMaximum"] = validator["max_value"]
    return node
