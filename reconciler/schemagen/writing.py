"""
Facts × overlay → one JSON Schema for each strategy type.

Rule 1: pure: the same facts and overlay give the same bytes.
Rule 2: what a strategy file says at its top (exchange, pair, name, type) is no field of its config.
Rule 3: a default that Hummingbot would not survive is written into its file (`x-render`) or into ours (`x-fill`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.catalog.catalog import CONTROLLER, LEGACY, MODEL
from reconciler.catalog.units import takes_unit
from reconciler.model.pair import PAIR
from reconciler.schemagen.nodes import Facts, Schema, exact, from_legacy, schema_of
from reconciler.schemagen.overlay import Overlay

COMMENT = (
    "Made by `reconciler schema generate`; do not edit. x-unit: unit of a bare number; percent and fraction may "
    "carry % or bps. x-apply: hot where a running bot takes the change. x-fill: written out when left out. "
    "x-render: what Hummingbot's own file gets when it is left out; =exchange and =trading_pair stand for the "
    "strategy's own. x-absurd-below: smaller values get a warning. x-role, x-venue: the field holds an exchange or "
    "a pair, of which venue. x-kind, x-exchange-field, x-pair-field, x-pair-form: the form of Hummingbot's own file."
)
WITH_UNIT = r"^[-+]?[0-9]*\.?[0-9]+ ?(%|bps)$"
PAIR_TEXT = f"^{PAIR.pattern}$"
"""As in the envelope: anything else is a slip, and Hummingbot waits for ever for such a market."""

SAID_ELSEWHERE = {"strategy", "id", "controller_name", "controller_type"}
SCOPES = {LEGACY: "v1", MODEL: "v1", CONTROLLER: "v2"}


class Connectors:
    """The names of Hummingbot's connectors. Every spot connector can be traded on paper."""

    def __init__(self, spot: list[str], perpetual: list[str]) -> None:
        self.spot = sorted([*spot, *(f"{name}_paper_trade" for name in spot)])
        self.perpetual = sorted(perpetual)

    def of(self, venue: str) -> list[str]:
        """Names for `spot`, `perpetual` or `any`."""
        return {"spot": self.spot, "perpetual": self.perpetual}.get(venue) or sorted(
            [*self.spot, *self.perpetual]
        )


def write_schema(kind: str, facts: Facts, overlay: Overlay, connectors: Connectors) -> Schema:
    """The schema of one strategy type. `facts`: as the inspection printed them. `kind`: LEGACY, MODEL or CONTROLLER.

    Raises:
        SchemaError: the overlay lacks a rule that it must have.
    """
    name, rules = facts["name"], overlay.of_type(facts["name"], SCOPES[kind])
    nodes = [from_legacy(field) if kind == LEGACY else field for field in facts["fields"]]
    writer = _Writer(name, kind, rules, overlay, connectors)
    written = {
        node["name"]: writer.field(node) for node in nodes if not writer.is_said_elsewhere(node["name"])
    }
    places = {
        "x-exchange-field": rules.get("exchange"),
        "x-pair-field": rules.get("pair"),
        "x-pair-form": rules.get("pair_form"),
        "x-venue": rules.get("venue"),
        "x-template-version": facts.get("template_version"),
        "x-controller-type": facts.get("controller_type"),
    }
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        "title": name,
        "description": rules.get("description", f"Config of Hummingbot's controller {name}."),
        "$comment": COMMENT,
        "type": "object",
        "x-kind": kind,
        **{key: value for key, value in places.items() if value},
        "properties": written,
    }
    required = [node["name"] for node in nodes if node["name"] in written and writer.is_required(node)]
    if required:
        schema["required"] = required
    conditions = list(_conditions(nodes, rules))
    if conditions:
        schema["allOf"] = conditions
    if relations := overlay.relations(written, name):
        schema["x-relations"] = relations
    return {**schema, "additionalProperties": False}


def text_of(schema: Mapping[str, Any]) -> str:
    """The file's text."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class _Writer:
    """The fields of one strategy type."""

    def __init__(
        self, name: str, kind: str, rules: Mapping[str, Any], overlay: Overlay, connectors: Connectors
    ) -> None:
        self._name = name
        self._kind = kind
        self._rules = rules
        self._overlay = overlay
        self._connectors = connectors

    def is_said_elsewhere(self, name: str) -> bool:
        is_pair = name == self._rules.get("pair", "").partition(".")[0] and "pair_form" not in self._rules
        return name in SAID_ELSEWHERE or is_pair or name == self._rules.get("exchange", "").partition(".")[0]

    def is_required(self, node: Facts) -> bool:
        is_listed_pair = node["name"] == self._rules.get("pair")
        forced = node["name"] in self._rules.get("required", ())
        filled = node["name"] in self._rules.get("fill", {})
        return forced or (node["required"] and not is_listed_pair and not filled)

    def field(self, node: Facts) -> Schema:
        """One field's schema with all that is known besides its type."""
        name, scope = node["name"], SCOPES[self._kind]
        schema = schema_of(node)
        if "own" in node:
            schema |= self._overlay.validator(node["own"], f"{self._name}.{name}", free=node["free"])
        if text := self._overlay.description(name):
            schema["description"] = text
        schema |= self._rules.get("fields", {}).get(name, {})
        schema |= self._default(node)
        _narrow(schema, self._overlay.bounds(name, scope))
        if (pattern := self._overlay.text_of_list(name)) and "pattern" in schema:
            schema["pattern"] = pattern
        schema = self._with_role(node, schema)
        unit, absurd = self._overlay.unit(name, scope, self._rules), self._overlay.absurd_below(name, scope)
        types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
        if takes_unit(unit) and "number" in types and "array" not in types:
            schema |= {"type": [*types, "string"], "pattern": WITH_UNIT}
            if absurd is not None:
                schema["x-absurd-below"] = exact({"number": str(absurd)})
        if unit:
            schema["x-unit"] = unit
        all_hot = self._rules.get("hot") == "all" and name not in self._rules.get("restart", ())
        is_hot = node["updatable"] if self._kind == CONTROLLER else all_hot
        return schema | {"x-apply": "hot" if is_hot else "restart"}

    def _default(self, node: Facts) -> Schema:
        """The default, and whether it has to be written out by us or into Hummingbot's file.

        Hummingbot does not check defaults and fails on them later, also on numbers: an integer field whose default is a
        Decimal stops cross_exchange_mining from starting.
        """
        name = node["name"]
        if name in self._rules.get("fill", {}):
            return {"default": self._rules["fill"][name], "x-fill": True}
        if name in self._rules.get("render", {}):
            return {"x-render": self._rules["render"][name]}
        if "default_written" in node and node["default"] != node["default_written"]:
            return {"x-render": exact(node["default"])}
        default = exact(node["default"])
        return {"default": default} if default is not None and not self.is_required(node) else {}

    def _with_role(self, node: Facts, schema: Schema) -> Schema:
        if node["type"] != "string":
            return schema
        schema |= self._overlay.role(node["name"])
        if schema.get("x-role") == "pair":
            return {**schema, "pattern": PAIR_TEXT}
        if schema.get("x-role") != "exchange":
            return schema
        venue = schema.pop("x-connectors", node.get("connectors", "any"))
        names: list[str | None] = [*self._connectors.of(venue)]
        nullable = "null" in schema.get("type", ())
        return {"enum": [*names, None] if nullable else names} | {
            key: value for key, value in schema.items() if key not in {"type", "enum"}
        }


def _narrow(schema: Schema, bounds: Mapping[str, Any]) -> None:
    for key, value in bounds.items():
        if isinstance(value, Mapping):
            schema[key] = {**schema.get(key, {}), **value}
        elif not any(schema.get(lower, -math.inf) >= value for lower in ("minimum", "exclusiveMinimum")):
            schema[key] = value


def _conditions(nodes: list[Any], rules: Mapping[str, Any]) -> Iterator[Schema]:
    """`required_if` of ConfigVars, for fields that have no default to fall back on; then the overlay's own conditions.

    Those are `if … then` these values, and values forbidden `unless` another one is set.
    """
    found: dict[str, tuple[Schema, list[str]]] = {}
    for node in nodes:
        if "when" not in node:
            continue
        asked = node["when"]
        if "is" in asked:
            wanted: Schema = {"const": asked["is"]}
        elif "is_not" in asked:
            wanted = {"not": {"const": asked["is_not"]}}
        else:
            wanted = {"exclusiveMinimum": asked["above"]}
        when = {"properties": {asked["field"]: wanted}, "required": [asked["field"]]}
        found.setdefault(json.dumps(when), (when, []))[1].append(node["name"])
    for when, names in found.values():
        there = {name: {"not": {"type": "null"}} for name in names}
        yield {"if": when, "then": {"properties": there, "required": names}}
    for rule in rules.get("rules", ()):
        if "if" in rule:
            yield {"if": _values(rule["if"]), "then": {"properties": _values(rule["then"])["properties"]}}
        else:
            yield {"if": {"not": _values(rule["unless"])}, "then": {"not": _values(rule["forbid"])}}


def _values(wanted: Mapping[str, Any]) -> Schema:
    return {
        "properties": {name: {"const": value} for name, value in wanted.items()},
        "required": list(wanted),
    }
