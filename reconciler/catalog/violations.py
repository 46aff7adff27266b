"""
What jsonschema finds wrong → Violations in words, each with a fix.

Rule 1: pure, and called only for what is wrong: jsonschema-rs decided that before.
Rule 2: one Violation for one mistake: a value that is none of three words is not reported as no text, too.
Rule 3: never empty: what jsonschema does not find but jsonschema-rs did is still a Violation.
"""
# ruff: noqa: ANN401  (any JSON value; jsonschema has no types)

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from reconciler.catalog.units import FRACTION, PERCENT, has_unit, takes_unit
from reconciler.model.pair import PAIR, pair_fault
from reconciler.model.spec import NAME

Schema: TypeAlias = Mapping[str, Any]

MOST_VIOLATIONS = 100
"""Of one document: more than these repeat one mistake many times."""

MOST_NAMES = 12
"""Of a choice: all of them are in the schema (reconciler schema show)."""

SHOWN = 60
"""Characters of a value: a message is one line."""


class Violation(msgspec.Struct, frozen=True, gc=False):
    """One thing wrong at `path` (below the checked value).

    `key`: the field's name is wrong, not its value. `missing`: the field is not there.
    """

    path: tuple[str | int, ...]
    what: str
    fix: str
    key: bool = False
    missing: bool = False


def explain(
    instance: Any, schema: Schema, owner: str, elsewhere: Mapping[str, str] | None = None
) -> list[Violation]:
    """The violations of `schema` by a value that has some, in words.

    `owner`: what has or lacks a field, such as a strategy type. `elsewhere`: the fix for unknown fields of these names.
    """
    errors = validator_class()(schema).iter_errors(instance)
    each = (violation for error in errors for violation in _violations_of(error, owner, elsewhere or {}))
    found: dict[tuple[tuple[str | int, ...], str], Violation] = {}
    for violation in islice(each, MOST_VIOLATIONS):
        found.setdefault((violation.path, violation.what), violation)
    if not found:
        return [Violation((), f"{owner} does not match its schema", "compare it with the schema")]
    if next(each, None) is not None:
        found[(), ""] = Violation(
            (), f"more than {MOST_VIOLATIONS} mistakes", "fix these first; the rest is reported then"
        )
    return list(found.values())


@cache
def validator_class() -> Any:
    """Draft 2020-12 as jsonschema-rs reads it: Decimals are numbers, 1.0 is whole, $ is the very end."""
    from jsonschema import Draft202012Validator  # 0.15 s, which only a file with a mistake is worth
    from jsonschema.validators import extend

    def is_whole(_: object, value: object) -> bool:
        if isinstance(value, bool):
            return False
        return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral_value())

    pattern = Draft202012Validator.VALIDATORS["pattern"]

    def ends_at_the_end(validator: Any, text: str, instance: Any, schema: Schema) -> Any:
        return pattern(validator, f"{text[:-1]}\\Z" if text.endswith("$") else text, instance, schema)

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
    keywords = {"pattern": ends_at_the_end}
    return extend(Draft202012Validator, validators=keywords, type_checker=checker)  # type: ignore[no-untyped-call]


def _violations_of(error: Any, owner: str, elsewhere: Mapping[str, str]) -> Iterator[Violation]:
    """The violations that one jsonschema.ValidationError stands for."""
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.validator_value, bool):
        known = error.schema.get("properties", {})
        for name in error.instance:
            if name not in known:
                fix = elsewhere.get(name, "") if not path else ""
                near = "" if fix else nearest(name, known)
                fix = fix or (f"did you mean {near}?" if near else "remove it")
                yield Violation((*path, name), f"{owner} has no such field", fix, key=True)
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield Violation(
                    (*path, name), f"{owner} needs this field", f"add {name}: …", key=True, missing=True
                )
    elif error.validator in {"if", "allOf", "anyOf", "oneOf"} and error.context:
        for inner in error.context:
            yield from _violations_of(inner, owner, elsewhere)
    elif not (error.validator == "type" and "enum" in error.schema):
        yield Violation(path, *words_for(error.validator, error.instance, error.schema))


# Words.


def words_for(keyword: str, value: Any, schema: Schema) -> tuple[str, str]:  # noqa: PLR0911  (one for each keyword)
    """What is wrong with a value that fails a keyword of its schema, and the fix."""
    match keyword:
        case "type":
            return _wrong_type(value, schema)
        case "enum":
            allowed = [shown(item).strip("'") for item in schema["enum"]]
            near = difflib.get_close_matches(str(value), allowed, 1, cutoff=0.8)
            choice = f"write one of {listed(allowed)}"
            return f"{shown(value)} is not allowed", f"{choice} (did you mean {near[0]}?)" if near else choice
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            words = " and ".join(f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema)
            unit = schema.get("x-unit", "")
            in_unit = f", in {unit}" if takes_unit(unit) else ""
            return f"{shown(value)} is out of range", f"write a number that is {words}{in_unit}"
        case "pattern" if schema["pattern"] == _PAIR:
            cause, fix = pair_fault(value)
            return f"{shown(value)} is no trading pair: {cause}", fix
        case "pattern":
            form = _FORMS.get(schema["pattern"], f"it must match {schema['pattern']}")
            return f"{shown(value)} does not have the right form", form
        case "minItems" | "maxItems":
            least, most = schema.get("minItems"), schema.get("maxItems")
            upper = most if most is not None else "any number of"
            wanted = f"{least}" if least == most else f"{least or 0} to {upper}"
            return f"{len(value)} items are not {wanted}", f"write a list of {wanted}"
        case "uniqueItems":
            return "the same item appears twice", "remove one of the two"
        case "minLength":
            return f"{shown(value)} is empty", "write some text"
        case _:
            return f"{shown(value)} is not allowed here", "see the field's description in the schema"


def _wrong_type(value: Any, schema: Schema) -> tuple[str, str]:
    wanted: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = " or ".join(_TYPES.get(name, name) for name in wanted)
    is_number = bool({"number", "integer"} & set(wanted))
    if isinstance(value, str) and has_unit(value) and not takes_unit(schema.get("x-unit", "")):
        return f"{value!r} has a unit, which this field does not take", f"write {words} without % or bps"
    fix = f"write {words}"
    if "string" in wanted and isinstance(value, bool | int | Decimal):
        fix = f'put it in quotes: "{shown(value)}"'
    elif isinstance(value, str) and is_number:
        fix = _NUMBER_FIXES.get(schema.get("x-unit", ""), "write the number alone, without quotes or unit")
    return f"{shown(value)} is not {words}", fix


def shown(value: Any) -> str:
    """A value as its reader wrote it, short."""
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "this"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that `name` was probably meant to be; empty if none is near."""
    found = difflib.get_close_matches(name, list(known), 1)
    return found[0] if found else ""


def listed(names: Iterable[str]) -> str:
    """Names to choose from, on one line: the first few, and how many more there are."""
    all_names = list(names)
    shown_names = ", ".join(all_names[:MOST_NAMES])
    more = len(all_names) - MOST_NAMES
    return f"{shown_names} and {more} more" if more > 0 else shown_names


_TYPES = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping of fields",
    "array": "a list",
    "null": "nothing",
}

_NUMBER_FIXES = {
    PERCENT: "write a number, which is in percent, or one with its unit: 0.1% or 10bps",
    FRACTION: "write a number, of which 1 is the whole, or one with its unit: 0.1% or 10bps",
    "seconds": "write the number of seconds alone",
}

_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}

_PAIR = f"^{PAIR.pattern}$"

_FORMS = {
    f"^{NAME.pattern}$": "use letters, digits, . _ and -, at most 64, beginning with a letter or digit",
    "^[a-z0-9_]+$": "write the connector's name in lower case, such as binance",
    "^config\\.[A-Za-z0-9_.]+$": "write config. and the field's name, such as config.order_amount",
}
