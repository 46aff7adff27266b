"""
Strategy types and their fields, read from JSON Schemas. Pure: schemas come in as bytes.

jsonschema-rs decides whether a config is valid (about a microsecond); jsonschema explains the few that are
not. A test holds the two to the same verdicts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from reconciler.catalog.units import takes_unit
from reconciler.catalog.violations import Violation, explain
from reconciler.model.spec import Config

HOT, RESTART = "hot", "restart"

ENVELOPE = "a strategy file"


class Field(msgspec.Struct, frozen=True, gc=False):
    """One config field. `unit`: the schema's x-unit. `absurd_below`: smaller values are probably a slip.

    `fill`: the default is written out when the field is left out, because the bot would not run without.
    """

    name: str
    unit: str
    apply: str
    default: Any = None
    fill: bool = False
    absurd_below: float | None = None


class _Type:
    """One strategy type: its fields, and a validator made when it is first needed."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.fields = {name: _field(name, spec) for name, spec in schema["properties"].items()}
        self.schema = _as_sent(schema)
        self.with_units = tuple(name for name, field in self.fields.items() if takes_unit(field.unit))
        self.filled = tuple(field for field in self.fields.values() if field.fill)
        self._validator: Any = None

    def is_valid(self, config: Config) -> bool:
        if self._validator is None:
            self._validator = _compile(self.schema)
        return bool(self._validator.is_valid(config))


def _field(name: str, spec: Mapping[str, Any]) -> Field:
    return Field(
        name=name,
        unit=spec.get("x-unit", ""),
        apply=spec.get("x-apply", RESTART),
        default=spec.get("default"),
        fill=spec.get("x-fill", False),
        absurd_below=spec.get("x-absurd-below"),
    )


def _as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what goes over the wire: `0.1%` is for files, a bot gets the number."""
    properties = {
        name: {**{k: v for k, v in spec.items() if k != "pattern"}, "type": "number"}
        if takes_unit(spec.get("x-unit", ""))
        else spec
        for name, spec in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _compile(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401  (jsonschema-rs has no public validator type)
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(dict(schema))


class Catalog:
    """What is known of Hummingbot's strategies."""

    def __init__(
        self, envelope: dict[str, Any], types: Mapping[str, dict[str, Any]], schema_hash: str
    ) -> None:
        self.schema_hash = schema_hash
        self._types = {name: _Type(schema) for name, schema in types.items()}
        self._envelope = {key: value for key, value in envelope.items() if key != "allOf"}
        self._envelope_validator: Any = None

    @classmethod
    def from_schemas(cls, envelope: bytes, strategies: Mapping[str, bytes]) -> Catalog:
        """Read the envelope's schema and one schema for each strategy type (name → text)."""
        digest = hashlib.sha256(envelope)
        for name in sorted(strategies):
            digest.update(name.encode() + b"\0" + strategies[name])
        types = {name: msgspec.json.decode(text) for name, text in strategies.items()}
        return cls(msgspec.json.decode(envelope), types, digest.hexdigest())

    @property
    def types(self) -> tuple[str, ...]:
        """The names of all known strategy types."""
        return tuple(self._types)

    def fields(self, strategy_type: str) -> Mapping[str, Field]:
        """The fields of a type; empty for an unknown one."""
        known = self._types.get(strategy_type)
        return known.fields if known else {}

    def apply_mode(self, strategy_type: str, field: str) -> str:
        """`hot` if a running bot takes a change of `field`, else `restart`; what is not known is `restart`."""
        known = self.fields(strategy_type).get(field)
        return known.apply if known else RESTART

    def unit(self, strategy_type: str, field: str) -> str:
        """The x-unit of a field, empty if it has none or is not known."""
        known = self.fields(strategy_type).get(field)
        return known.unit if known else ""

    def unit_fields(self, strategy_type: str) -> tuple[str, ...]:
        """The fields of a type that may be written with % or bps."""
        known = self._types.get(strategy_type)
        return known.with_units if known else ()

    def is_valid(self, strategy_type: str, config: Config) -> bool:
        """Whether Hummingbot would take `config`; False for an unknown type."""
        known = self._types.get(strategy_type)
        return known is not None and known.is_valid(config)

    def violations(self, strategy_type: str, config: Config) -> list[Violation]:
        """What is wrong with a config, in words; empty if nothing is. The type must be known."""
        known = self._types[strategy_type]
        return [] if known.is_valid(config) else explain(config, known.schema, strategy_type)

    def with_defaults(self, strategy_type: str, config: Config) -> Config:
        """`config` and, for fields left out, what Hummingbot uses then: what a running bot reports."""
        defaults = {
            name: field.default
            for name, field in self.fields(strategy_type).items()
            if field.default is not None and name not in config
        }
        return {**config, **defaults}

    def filled(self, strategy_type: str, config: Config) -> tuple[Field, ...]:
        """The fields left out of `config` whose default has to be written out."""
        known = self._types.get(strategy_type)
        return tuple(field for field in known.filled if field.name not in config) if known else ()

    def envelope_is_valid(self, data: Mapping[str, Any]) -> bool:
        """Whether a document has the fields of a strategy file, its config aside."""
        if self._envelope_validator is None:
            self._envelope_validator = _compile(self._envelope)
        return bool(self._envelope_validator.is_valid(data))

    def envelope_violations(self, data: Mapping[str, Any]) -> list[Violation]:
        """What is wrong with a document's own fields, in words."""
        return explain(data, self._envelope, ENVELOPE)
