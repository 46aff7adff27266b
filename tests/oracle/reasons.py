"""Why we refuse values that Hummingbot takes: one reason for each difference, or none, which is a mistake of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from reconciler.catalog import Catalog
from reconciler.catalog.loading import schemas_dir
from tests.oracle.comparing import Verdict

BOUND = "a bound of the overlay: nobody can mean a value beyond it"
NAME = "a name: an exchange that this Hummingbot has no connector for, or something that does not look like a pair"
NARROWED = "narrowed by the overlay for this strategy"
OTHERS = (
    "another field has to be there, or to fit: Hummingbot loads the file and fails when the strategy starts"
)
EMPTY = "chosen without what it needs: Hummingbot loads the file and fails when the strategy starts"
SPELLING = "another spelling of a value that can be written plainly, or a list that means nothing"
MAGNITUDE = "too large for its unit: a slip by any reading, such as 1,000,000,000 %"
LENGTH = "not as many items as the list that it belongs to"


def reason(  # noqa: PLR0911  (one for each reason)
    verdict: Verdict, catalog: Catalog, rules: Mapping[str, Any]
) -> str:
    """The reason for one difference; empty if there is none."""
    name, kind = verdict.field, verdict.kind
    scope = "v1" if kind in rules["types"] else "v2"
    if name in rules["bounds"][scope]:
        return BOUND
    if name in rules["roles"]["exchange"] or name in rules["roles"]["pair"]:
        return NAME
    if name in rules["types"].get(kind, {}).get("fields", {}):
        return NARROWED
    if _is_slip(verdict, catalog):
        return MAGNITUDE
    schema = catalog.schema(kind)
    if name in _asked_of_others(schema):
        return OTHERS
    if name in _related(schema):
        return LENGTH
    if "anyOf" in schema["properties"][name]:
        return EMPTY
    return SPELLING if verdict.value == "null" or verdict.value.startswith('"') else ""


def _is_slip(verdict: Verdict, catalog: Catalog) -> bool:
    try:
        number = Decimal(verdict.value)
    except InvalidOperation:
        return False
    found = catalog.too_large(verdict.kind, {verdict.field: number})
    return any(magnitude.is_error for magnitude in found)


def _asked_of_others(schema: Mapping[str, Any]) -> set[str]:
    conditions = [rule["if"] for rule in schema.get("allOf", ())]
    return {name for condition in conditions for name in condition.get("properties", ())}


def _related(schema: Mapping[str, Any]) -> set[str]:
    return {rule["field"] for rule in schema.get("x-relations", ())}


def overlay() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load((schemas_dir() / "overlay.yaml").read_text())
    return rules


def listing(verdicts: Iterable[Verdict], catalog: Catalog) -> str:
    """The differences as a committed file has them: for each reason, each field with its values."""
    rules = overlay()
    found: dict[str, dict[str, list[str]]] = {}
    for verdict in verdicts:
        why = reason(verdict, catalog, rules)
        found.setdefault(why, {}).setdefault(f"{verdict.kind}.{verdict.field}", []).append(verdict.value)
    lines = []
    for why in sorted(found):
        lines += [f"## {why or 'NO REASON'}", ""]
        lines += [
            f"- {field}: {', '.join(f'`{value}`' for value in values)}"
            for field, values in sorted(found[why].items())
        ]
        lines.append("")
    return "\n".join(lines)
