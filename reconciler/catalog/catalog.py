"""
Strategy types and their fields, read from JSON Schemas.

Rule 1: pure: schemas come in as bytes; `loading` reads the files.
Rule 2: jsonschema-rs decides whether a config is valid (about a microsecond); jsonschema explains the few that are not.
A test compares their verdicts; where the two differ all the same, the first one counts.
Rule 3: bounds and defaults stay as exact as the configs that they are compared with: numbers are Decimals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from reconciler.catalog.grid_rules import grid_violations
from reconciler.catalog.magnitudes import Magnitude, too_large
from reconciler.catalog.relations import broken
from reconciler.catalog.units import takes_unit
from reconciler.catalog.venue_rules import (
    Use,
    exchange_fault,
    is_gateway,
    no_connector,
    venue_doubts,
    venue_violations,
)
from reconciler.catalog.venues import FACTS
from reconciler.catalog.violations import Violation, explain
from reconciler.model.spec import Config

HOT, RESTART = "hot", "restart"
"""How a change of a field reaches a running bot: while it runs, or by stopping and starting it."""

LEGACY, MODEL, CONTROLLER = "legacy", "model", "controller"
"""Kinds of strategy types: v1 with ConfigVars and a template; v1 with a pydantic model; v2 controller."""

TEXT, COMMA, LIST = "text", "comma", "list"
"""How Hummingbot's file holds pairs: one; several in one text, separated by commas; a list."""

_schema_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class Field(msgspec.Struct, frozen=True, gc=False):
    """One config field. `unit`: the schema's x-unit. `apply`: HOT or RESTART.

    `types`: its JSON types as they are sent to a bot; empty if the schema names none.
    `fill`: the default is written out when the field is left out, because the bot would not run without.
    `absurd_below`: smaller values are probably a slip.
    `may_be_nothing`: the schema takes null, or asks for the field; else null says the same as leaving the field out.
    """

    name: str
    unit: str
    apply: str
    types: tuple[str, ...] = ()
    default: Any = None
    fill: bool = False
    absurd_below: int | Decimal | None = None
    may_be_nothing: bool = True


class Layout(msgspec.Struct, frozen=True):
    """Where Hummingbot's own file of a strategy type keeps what a strategy file says at its top.

    `kind`: LEGACY, MODEL or CONTROLLER. `exchange`, `pair`: paths of these fields, separated by dots; empty: it has none.
    `pair_form`: TEXT, COMMA or LIST. `venue`: which connectors it trades on, `spot` or `perpetual`; empty: either.
    `rendered`: what Hummingbot's own file needs although its author leaves it out: field → value; the words
    `=exchange` and `=trading_pair` stand for the strategy's own.
    """

    kind: str
    exchange: str = ""
    pair: str = ""
    pair_form: str = TEXT
    venue: str = ""
    template_version: int | None = None
    controller_type: str = ""
    rendered: Mapping[str, Any] = msgspec.field(default_factory=dict)


class StrategyType:
    """One strategy type out of its JSON Schema.

    `schema` is the schema of what is sent to a bot: `0.1%` is for files, a bot gets the number.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.fields: dict[str, Field] = {}
        sent: dict[str, Any] = {}
        asked_for = frozenset(schema.get("required", ()))
        for name, spec in schema["properties"].items():
            types = spec.get("type", ())
            types = (types,) if isinstance(types, str) else tuple(types)
            sent[name] = spec
            if takes_unit(spec.get("x-unit", "")):
                types = tuple(one for one in types if one != "string")
                rest = {key: value for key, value in spec.items() if key != "pattern"}
                sent[name] = rest | {"type": list(types) or ["number"]}
            self.fields[name] = Field(
                name=name,
                unit=spec.get("x-unit", ""),
                apply=spec.get("x-apply", RESTART),
                types=types,
                default=spec.get("default"),
                fill=spec.get("x-fill", False),
                absurd_below=spec.get("x-absurd-below"),
                may_be_nothing=name in asked_for or _takes_null(spec),
            )
        self.schema = {**schema, "properties": sent}
        self.units = {name: field.unit for name, field in self.fields.items()}
        self.filled = tuple(field for field in self.fields.values() if field.fill)
        self.may_be_absurd = tuple(field for field in self.fields.values() if field.absurd_below is not None)
        self.layout = Layout(
            kind=schema.get("x-kind", LEGACY),
            exchange=schema.get("x-exchange-field", ""),
            pair=schema.get("x-pair-field", ""),
            pair_form=schema.get("x-pair-form", TEXT),
            venue=schema.get("x-venue", "").replace("any", ""),
            template_version=schema.get("x-template-version"),
            controller_type=schema.get("x-controller-type", ""),
            rendered={
                name: spec["x-render"] for name, spec in schema["properties"].items() if "x-render" in spec
            },
        )
        self.elsewhere = {
            path.partition(".")[0]: f"remove it: {name} at the top of the file says it"
            for path, name in ((self.layout.exchange, "exchange"), (self.layout.pair, "trading_pair"))
            if path
        }
        """Hummingbot's own names of what a strategy file says at its top → what to do about them."""
        self._defaults = {
            name: field.default for name, field in self.fields.items() if field.default is not None
        }
        self._validator: Any = None

    def use(self, name: str, config: Config, *, exchange: str, trading_pair: str) -> Use:
        """What a strategy of this type asks of its venues. `name`: of the type."""
        is_controller = self.layout.kind == CONTROLLER
        return Use(name, is_controller, self.fields, self._defaults, config, exchange, trading_pair)

    def is_valid(self, config: Config) -> bool:
        """Whether Hummingbot would take `config`. The validator is made when it is first needed."""
        if self._validator is None:
            self._validator = _compiled(self.schema)
        return bool(self._validator.is_valid(config))


class Catalog:
    """The strategy types of one Hummingbot version, and its connectors."""

    def __init__(
        self,
        envelope: dict[str, Any],
        types: Mapping[str, dict[str, Any]],
        schema_hash: str,
        connectors: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self.schema_hash = schema_hash
        self._connectors = {kind: tuple(names) for kind, names in connectors.items()}
        self._all_connectors = tuple(name for names in self._connectors.values() for name in names)
        self._types = {name: StrategyType(schema) for name, schema in types.items()}
        self._envelope = {key: value for key, value in envelope.items() if key != "allOf"}
        self._envelope_validator: Any = None
        self.file_fields = frozenset(envelope.get("properties", ()))
        """The fields that a strategy file may have besides those of its config."""

    @classmethod
    def from_schemas(
        cls,
        envelope: bytes,
        strategies: Mapping[str, bytes],
        connectors: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> Catalog:
        """Read the envelope's schema and one schema for each strategy type (name → text).

        `connectors`: Hummingbot's names of its connectors, `spot` and `perpetual`; without them any name is allowed.
        """
        digest = hashlib.sha256(envelope)
        for name in sorted(strategies):
            digest.update(name.encode() + b"\0" + strategies[name])
        types = {name: _schema_decoder.decode(text) for name, text in strategies.items()}
        digest.update(repr((sorted(connectors.items()), FACTS)).encode())
        return cls(_schema_decoder.decode(envelope), types, digest.hexdigest(), connectors)

    @property
    def types(self) -> tuple[str, ...]:
        """The names of all known strategy types."""
        return tuple(self._types)

    def knows(self, strategy_type: str) -> bool:
        """Whether there is a schema of this type."""
        return strategy_type in self._types

    def layout(self, strategy_type: str) -> Layout:
        """Where Hummingbot's own file of a type keeps what. The type must be known."""
        return self._types[strategy_type].layout

    def schema(self, strategy_type: str) -> Mapping[str, Any]:
        """The JSON Schema of what goes over the wire for a type, which must be known: units are numbers there."""
        return self._types[strategy_type].schema

    def exchanges(self, strategy_type: str) -> tuple[str, ...]:
        """The connectors that a type can trade on, by Hummingbot's names; empty if they are not known."""
        venue = self._types[strategy_type].layout.venue
        if venue:
            return self._connectors.get(venue, ())
        return self._all_connectors

    def exchange_fault(self, strategy_type: str, exchange: str) -> tuple[str, str] | None:
        """Why a type cannot trade on a connector that it may name, and the fix; None if it can. The type must be known."""
        is_controller = self.layout(strategy_type).kind == CONTROLLER
        return exchange_fault(strategy_type, exchange, is_controller=is_controller)

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

    def may_be_absurd(self, strategy_type: str) -> tuple[Field, ...]:
        """The fields of a type that have a value below which a slip is likely."""
        known = self._types.get(strategy_type)
        return known.may_be_absurd if known else ()

    def is_valid(self, strategy_type: str, config: Config) -> bool:
        """Whether Hummingbot would take `config`; False for an unknown type."""
        known = self._types.get(strategy_type)
        return known is not None and known.is_valid(config)

    def violations(self, strategy_type: str, config: Config) -> list[Violation]:
        """What is wrong with a config, in words; empty if and only if it is valid. The type must be known."""
        known = self._types[strategy_type]
        if known.is_valid(config):
            return []
        found = explain(config, known.schema, strategy_type, known.elsewhere)
        return [self._of_connector(violation, known, config) for violation in found]

    def _of_connector(self, violation: Violation, known: StrategyType, config: Config) -> Violation:
        """A violation at a field that names a connector says so, where the name is none at all."""
        field = str(violation.path[0]) if len(violation.path) == 1 else ""
        value = config.get(field)
        role = known.schema["properties"].get(field, {}).get("x-role")
        if role != "exchange" or not isinstance(value, str):
            return violation
        fault = no_connector(value, self._all_connectors)
        return violation if fault is None else Violation(violation.path, *fault)

    def relations(
        self, strategy_type: str, config: Config, *, exchange: str, trading_pair: str
    ) -> list[Violation]:
        """The violated relations between fields of a config, or to exchange, pair and what Hummingbot's connectors can do.

        The type must be known.
        """
        known = self._types[strategy_type]
        relations = known.schema.get("x-relations", ())
        own = {"exchange": exchange, "trading_pair": trading_pair}
        found = list(broken(relations, config, rendered=known.layout.rendered, **own)) if relations else []
        use = known.use(strategy_type, config, **own)
        return [*found, *grid_violations(strategy_type, config), *venue_violations(use, self._all_connectors)]

    def too_large(self, strategy_type: str, config: Config) -> list[Magnitude]:
        """The numbers of a config that are too large for their unit, such as 3 where 0.03 is 3 %. The type must be known.

        `config`: as the file has it, with texts such as `300%` left as they are: they say what they mean.
        """
        return list(too_large(config, self._types[strategy_type].units))

    def doubts(self, strategy_type: str, config: Config) -> list[Violation]:
        """What Hummingbot takes but does not use: warnings. The type must be known."""
        use = self._types[strategy_type].use(strategy_type, config, exchange="", trading_pair="")
        return list(venue_doubts(use))

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
            self._envelope_validator = _compiled(self._envelope)
        return bool(self._envelope_validator.is_valid(data))

    def envelope_violations(self, data: Mapping[str, Any]) -> list[Violation]:
        """What is wrong with a document's own fields, in words; empty if and only if they are valid."""
        if self.envelope_is_valid(data):
            return []
        kind = data.get("strategy_type")
        fields = self.fields(kind) if isinstance(kind, str) else {}
        found = explain(
            data, self._envelope, "a strategy file", dict.fromkeys(fields, "move it below config")
        )
        exchange = data.get("exchange")
        if isinstance(exchange, str) and is_gateway(exchange) and (fault := no_connector(exchange, ())):
            # pairs have other forms there: what is said of the pair's form would not help
            others = [
                violation for violation in found if violation.path not in {("exchange",), ("trading_pair",)}
            ]
            return [Violation(("exchange",), *fault), *others]
        return found


def _takes_null(spec: Mapping[str, Any]) -> bool:
    """Whether a field's schema takes null, or does not say what it takes."""
    known = spec.get("enum") or spec.get("type") or ["null"]
    return None in known if "enum" in spec else "null" in known


def _compiled(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401  (jsonschema-rs has no public validator type)
    import jsonschema_rs  # here, since an unchanged tree needs no validator (benchmarks.cold_plan, warm)

    return jsonschema_rs.Draft202012Validator(dict(schema))
