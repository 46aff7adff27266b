"""What jsonschema finds wrong → words with a fix. Called only for the few documents that are wrong. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

Schema = Mapping[str, Any]


SHOWN = 60
"""Longer values are cut: a message is one line."""


class Violation(msgspec.Struct, frozen=True, gc=False):
    """One thing wrong at `path` (below the checked value). `key`: the field's name is wrong, not its value."""

    path: tuple[str | int, ...]
    what: str
    fix: str
    key: bool = False


def explain(instance: Any, schema: Schema, owner: str) -> list[Violation]:  # noqa: ANN401  (any JSON value)
    """All violations of `schema`, in words; `owner` is who has or lacks a field, such as a strategy type."""
    found: list[Violation] = []
    for error in _validator_class()(schema).iter_errors(instance):
        for violation in _of(error, owner):
            if violation not in found:
                found.append(violation)
    return found


@cache
def _validator_class() -> Any:  # noqa: ANN401  (jsonschema makes its classes at run time)
    """Draft 2020-12 with Decimals as jsonschema-rs takes them: 1.0 is whole, whatever its type."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    def is_whole(_: object, value: object) -> bool:
        if isinstance(value, bool):
            return False
        return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral_value())

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
    return extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]


def _of(error: Any, owner: str) -> Iterator[Violation]:  # noqa: ANN401  (jsonschema.ValidationError)
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.validator_value, bool):
        yield from _unknown_fields(error, path, owner)
    elif error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        yield from (_missing(name, path, owner) for name in missing)
    elif error.validator in {"if", "allOf", "anyOf", "oneOf"} and error.context:
        for inner in error.context:
            yield from _of(inner, owner)
    else:
        words = _WORDS.get(error.validator, _other)
        what, fix = words(error.instance, error.schema)
        yield Violation(path, what, fix)


def _unknown_fields(error: Any, path: tuple[str | int, ...], owner: str) -> Iterator[Violation]:  # noqa: ANN401
    known = list(error.schema.get("properties", {}))
    for name in error.instance:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            fix = f"did you mean {near[0]}?" if near else "remove it"
            yield Violation((*path, name), f"{owner} has no such field", fix, key=True)


def _missing(name: str, path: tuple[str | int, ...], owner: str) -> Violation:
    return Violation((*path, name), f"{owner} needs this field", f"add {name}: …", key=True)


# What is said of each keyword: (value, schema) → what, fix.


def _type(value: Any, schema: Schema) -> tuple[str, str]:  # noqa: ANN401
    wanted: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = " or ".join(_TYPES.get(name, name) for name in wanted)
    fix = f"write {words}"
    if "string" in wanted and isinstance(value, bool | int | Decimal):
        fix = f'put it in quotes: "{shown(value)}"'
    elif isinstance(value, str) and {"number", "integer"} & set(wanted):
        fix = "write the number without quotes or unit"
    return f"{shown(value)} is not {words}", fix


def _enum(value: Any, schema: Schema) -> tuple[str, str]:  # noqa: ANN401
    allowed = [shown(item).strip("'") for item in schema["enum"]]
    near = difflib.get_close_matches(str(value), allowed, 1, cutoff=0.8)
    choice = f"write one of {', '.join(allowed)}"
    return f"{shown(value)} is not allowed", f"{choice} (did you mean {near[0]}?)" if near else choice


def _bounds(value: Any, schema: Schema) -> tuple[str, str]:  # noqa: ANN401
    words = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return f"{shown(value)} is out of range", f"write a number {' and '.join(words)}"


def _pattern(value: Any, schema: Schema) -> tuple[str, str]:  # noqa: ANN401
    return f"{shown(value)} does not have the right form", _FORMS.get(
        schema["pattern"], f"it must match {schema['pattern']}"
    )


def _other(value: Any, schema: Schema) -> tuple[str, str]:  # noqa: ANN401
    del schema
    return f"{shown(value)} is not allowed here", "see the field's description in the schema"


_TYPES = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping of fields",
    "array": "a list",
    "null": "nothing",
}

_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "from",
    "exclusiveMaximum": "below",
    "maximum": "up to",
}

_FORMS = {
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "use letters, digits, . _ and -, at most 64, beginning with a letter or digit",
    "^[A-Z0-9._]+-[A-Z0-9._]+$": "write BASE-QUOTE in capitals, such as BTC-USDT",
    "^[a-z0-9_]+$": "write the connector's name in small letters, such as binance",
    "^config\\.[A-Za-z0-9_.]+$": "write config. and the field's name, such as config.order_amount",
}

_WORDS: dict[str, Callable[[Any, Schema], tuple[str, str]]] = {
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    **dict.fromkeys(_BOUNDS, _bounds),
}


def shown(value: Any) -> str:  # noqa: ANN401
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
