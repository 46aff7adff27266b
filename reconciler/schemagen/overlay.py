"""
The overlay: what is known of fields besides what Hummingbot's code says, kept by hand in schemas/overlay.yaml.

Rule 1: pure: its rules come in as values.
Rule 2: it adds and narrows; it never allows what the code refuses.
Rule 3: a rule that meets no field, and a validator of Hummingbot's own without a rule, are errors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.errors import SchemaError

Rules = Mapping[str, Any]


class Overlay:
    """The rules, and which of them have met a field."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._met: set[tuple[str, ...]] = set()

    def of_type(self, name: str, scope: str) -> dict[str, Any]:
        """Rules for one strategy type: where its exchange and pair stand, its venue, what is hot."""
        if scope == "v2":
            places = {"exchange": "connector_name", "pair": "trading_pair"}
            return {**places, **self._rules["controllers"].get(name, {})}
        found: dict[str, Any] = self._rules["types"].get(name, {})
        if not found:
            raise SchemaError(
                f"schemas/overlay.yaml does not know the strategy {name}",
                "add it below types, with the fields that hold its exchange and its pair",
            )
        return found

    def unit(self, name: str, scope: str, kind: Rules) -> str:
        """The unit of a field's bare number; empty if it has none."""
        own = _listed(kind.get("units", {}), name)
        return own or self._found("units", scope, name)

    def absurd_below(self, name: str, scope: str) -> float | None:
        found = self._found("absurd_below", scope, name)
        return float(found) if found != "" else None

    def bounds(self, name: str, scope: str) -> dict[str, Any]:
        """Narrower bounds than the code's."""
        self._met.add(("bounds", scope, name))
        bounds: dict[str, Any] = self._rules["bounds"].get(scope, {}).get(name, {})
        return bounds

    def validator(self, own: str, where: str, *, free: bool) -> dict[str, Any]:
        """What a validator of Hummingbot's own takes; `free`: it was seen to take every text."""
        if own in self._rules["validators"]:
            found: dict[str, Any] = self._rules["validators"][own]
            return found
        if free:
            return {}
        raise SchemaError(
            f"schemas/overlay.yaml has no rule for {own}, which checks {where}", "add it below validators"
        )

    def text_of_list(self, name: str) -> str | None:
        pattern: str | None = self._rules["texts"].get(name)
        return pattern

    def relations(self, fields: Collection[str], name: str) -> list[dict[str, Any]]:
        """What the fields of the strategy type `name` ask of each other."""
        rules = self._rules["relations"]
        return [
            {key: value for key, value in rule.items() if key != "of"}
            for rule in rules
            if rule["field"] in fields and rule.get("of", name) == name
        ]

    def role(self, name: str) -> dict[str, Any]:
        """x-role and x-venue of a field that holds an exchange or a pair."""
        roles = self._rules["roles"]
        for role in ("exchange", "pair"):
            if name in roles[role]:
                venue = {"x-venue": 2} if name in roles["second_venue"] else {}
                return {"x-role": role, **venue}
        return {}

    def description(self, name: str) -> str:
        self._met.add(("descriptions", name))
        return str(self._rules["descriptions"].get(name, ""))

    def unmet(self) -> list[str]:
        """Rules that met no field: misspelt, or of a field that is gone. Only of use when all types were made."""
        rules = self._rules
        scoped = {
            (part, scope, name)
            for part in ("units", "absurd_below")
            for scope, groups in rules[part].items()
            for names in groups.values()
            for name in names
        }
        scoped |= {("bounds", scope, name) for scope, bounds in rules["bounds"].items() for name in bounds}
        described = {("descriptions", name) for name in rules["descriptions"]}
        return sorted(".".join(rule) for rule in (scoped | described) - self._met)

    def _found(self, part: str, scope: str, name: str) -> str:
        found = _listed(self._rules[part].get(scope, {}), name)
        self._met.add((part, scope, name))
        return found


def _listed(groups: Mapping[Any, list[str]], name: str) -> str:
    return next((str(key) for key, names in groups.items() if name in names), "")
