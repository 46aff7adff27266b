"""One strategy type out of its JSON Schema: its fields, and a validator of what goes over the wire. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.catalog.units import takes_unit
from reconciler.model.spec import Config

HOT, RESTART = "hot", "restart"


class Field(msgspec.Struct, frozen=True, gc=False):
    """One config field. `unit`: the schema's x-unit. `types`: its JSON types as a bot is sent
    them; empty if it says none.

    `fill`: the default is written out when the field is left out, because the bot would not run without.
    `absurd_below`: smaller values are probably a slip.
    """

    name: str
    unit: str
    apply: str
    types: tuple[str, ...] = ()
    default: Any = None
    fill: bool = False
    absurd_below: int | Decimal | None = None


class StrategyType:
    """One strategy type. `schema` is that of what a bot is sent; its validator is made when first needed."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.fields = {name: _field(name, spec) for name, spec in schema["properties"].items()}
        self.schema = _as_sent(schema)
        self.filled = tuple(field for field in self.fields.values() if field.fill)
        self.may_be_absurd = tuple(field for field in self.fields.values() if field.absurd_below is not None)
        self._validator: Any = None

    def is_valid(self, config: Config) -> bool:
        if self._validator is None:
            self._validator = compiled(self.schema)
        return bool(self._validator.is_valid(config))


def _field(name: str, spec: Mapping[str, Any]) -> Field:
    return Field(
        name=name,
        unit=spec.get("x-unit", ""),
        apply=spec.get("x-apply", RESTART),
        types=_types_as_sent(spec),
        default=spec.get("default"),
        fill=spec.get("x-fill", False),
        absurd_below=spec.get("x-absurd-below"),
    )


def _types_as_sent(spec: Mapping[str, Any]) -> tuple[str, ...]:
    types = _types(spec)
    return tuple(one for one in types if one != "string") if takes_unit(spec.get("x-unit", "")) else types


def _types(spec: Mapping[str, Any]) -> tuple[str, ...]:
    types = spec.get("type", ())
    return (types,) if isinstance(types, str) else tuple(types)


def _as_sent(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what goes over the wire: `0.1%` is for files, a bot gets the number."""
    properties = {
        name: _without_text(spec) if takes_unit(spec.get("x-unit", "")) else spec
        for name, spec in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _without_text(spec: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in spec.items() if key != "pattern"}
    return rest | {"type": list(_types_as_sent(spec)) or ["number"]}


def compiled(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401  (jsonschema-rs has no public validator type)
    """The validator that decides."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(dict(schema))
