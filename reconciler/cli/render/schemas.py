"""Strategy types' schemas → lines of `schema list` and rows of `schema show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from reconciler.catalog.violations import listed

_BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


class TypeLine(msgspec.Struct, frozen=True):
    """One strategy type in a list. `kind`: legacy, model or controller; `hot`: fields that change while it runs."""

    name: str
    kind: str
    fields: int
    required: tuple[str, ...]
    hot: int


class FieldLine(msgspec.Struct, frozen=True):
    """One field. `takes`: its values in short; `default`: what is used when it is left out, in short."""

    name: str
    takes: str
    unit: str
    default: str
    apply: str
    required: bool
    description: str


def type_line(schema: Mapping[str, Any]) -> TypeLine:
    """A strategy type's schema in one line."""
    fields = schema["properties"]
    hot = sum(field.get("x-apply") == "hot" for field in fields.values())
    return TypeLine(
        schema["title"], schema.get("x-kind", ""), len(fields), tuple(schema.get("required", ())), hot
    )


def field_lines(schema: Mapping[str, Any]) -> Iterator[FieldLine]:
    """The fields of a strategy type, in their order, those that are required first."""
    required = schema.get("required", ())
    names = sorted(schema["properties"], key=lambda name: name not in required)
    for name in names:
        field = schema["properties"][name]
        default = str(field.get("default", ""))
        if isinstance(field.get("default"), bool):
            default = default.lower()
        if "x-render" in field:
            default = {None: "worked out", "": "none"}.get(field["x-render"], str(field["x-render"]))
        yield FieldLine(
            name,
            takes(field),
            field.get("x-unit", ""),
            default,
            field.get("x-apply", ""),
            name in required,
            field.get("description", ""),
        )


def takes(field: Mapping[str, Any]) -> str:
    """The values of a field in a few words: `number > 0 < 100`, `one of a, b`."""
    if "enum" in field:
        return f"one of {listed(str(value) for value in field['enum'] if value is not None)}"
    if "anyOf" in field:
        forms = [
            takes({**field, "anyOf": (), **form} if "type" in field else form) for form in field["anyOf"]
        ]
        return " or ".join(dict.fromkeys(form for form in forms if form != "null"))
    if "const" in field:
        return str(field["const"])
    types = field.get("type", "anything")
    words = [types] if isinstance(types, str) else [one for one in types if one != "null"]
    bounds = [f"{sign} {field[key]}" for key, sign in _BOUNDS.items() if key in field]
    return " ".join([" or ".join(words), *bounds])
