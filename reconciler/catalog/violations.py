"""
What jsonschema finds wrong → Violations in words, each with a fix. Called only for what is wrong. Pure.

Rule 1: one Violation for one mistake: a value that is none of three words need not hear that it is no text.
Rule 2: never empty: what jsonschema does not find but jsonschema-rs did is still a Violation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

import msgspec

from reconciler.catalog.wording import Schema, nearest, words_for

MOST_TOLD = 100
"""Of one document. Whoever has more has one mistake many times."""


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
    instance: Any,  # noqa: ANN401  (any JSON value)
    schema: Schema,
    owner: str,
    elsewhere: Mapping[str, str] | None = None,
) -> list[Violation]:
    """The violations of `schema` by a value that has some, in words.

    `owner`: who has or lacks a field, such as a strategy type. `elsewhere`: the fix for unknown fields of
    these names.
    """
    errors = validator_class()(schema).iter_errors(instance)
    each = (violation for error in errors for violation in _of(error, owner, elsewhere or {}))
    told: dict[tuple[tuple[str | int, ...], str], Violation] = {}
    for violation in islice(each, MOST_TOLD):
        told.setdefault((violation.path, violation.what), violation)
    if not told:
        return [Violation((), f"{owner} is not as its schema wants it", "compare it with the schema")]
    if next(each, None) is not None:
        told[(), ""] = Violation(
            (), f"more than {MOST_TOLD} mistakes", "mend these first; the rest is told then"
        )
    return list(told.values())


@cache
def validator_class() -> Any:  # noqa: ANN401  (jsonschema makes its classes at run time)
    """Draft 2020-12 as jsonschema-rs reads it: Decimals are numbers, 1.0 is whole, $ is the very end."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    def is_whole(_: object, value: object) -> bool:
        if isinstance(value, bool):
            return False
        return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral_value())

    pattern = Draft202012Validator.VALIDATORS["pattern"]

    def ends_at_the_end(validator: Any, text: str, instance: Any, schema: Schema) -> Any:  # noqa: ANN401
        return pattern(validator, f"{text[:-1]}\\Z" if text.endswith("$") else text, instance, schema)

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
    keywords = {"pattern": ends_at_the_end}
    return extend(Draft202012Validator, validators=keywords, type_checker=checker)  # type: ignore[no-untyped-call]


def _of(error: Any, owner: str, elsewhere: Mapping[str, str]) -> Iterator[Violation]:  # noqa: ANN401  (jsonschema.ValidationError)
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.validator_value, bool):
        yield from _unknown_fields(error, path, owner, elsewhere)
    elif error.validator == "required":
        missing = (name for name in error.validator_value if name not in error.instance)
        yield from (_missing(name, path, owner) for name in missing)
    elif error.validator in {"if", "allOf", "anyOf", "oneOf"} and error.context:
        for inner in error.context:
            yield from _of(inner, owner, elsewhere)
    elif not (error.validator == "type" and "enum" in error.schema):
        yield Violation(path, *words_for(error.validator)(error.instance, error.schema))


def _unknown_fields(
    error: Any,  # noqa: ANN401
    path: tuple[str | int, ...],
    owner: str,
    elsewhere: Mapping[str, str],
) -> Iterator[Violation]:
    known = error.schema.get("properties", {})
    for name in error.instance:
        if name not in known:
            fix = elsewhere.get(name, "") if not path else ""
            near = "" if fix else nearest(name, known)
            fix = fix or (f"did you mean {near}?" if near else "remove it")
            yield Violation((*path, name), f"{owner} has no such field", fix, key=True)


def _missing(name: str, path: tuple[str | int, ...], owner: str) -> Violation:
    return Violation((*path, name), f"{owner} needs this field", f"add {name}: …", key=True, missing=True)
