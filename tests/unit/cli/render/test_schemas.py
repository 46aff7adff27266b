"""Schemas are shown as a list of types and a table of fields."""

from __future__ import annotations

import pytest

from reconciler.cli.render.schemas import field_lines, takes, type_line


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 5}, "number > 0 ≤ 5"),
        ({"enum": ["a", "b", None]}, "one of a, b"),
        ({"anyOf": [{"enum": ["n"]}, {"type": "object"}, {"type": "null"}]}, "one of n or object"),
        ({"type": ["integer", "null"]}, "integer"),
        ({}, "anything"),
    ],
)
def test_what_a_field_takes_in_a_few_words(schema, words: str) -> None:
    assert takes(schema) == words


def test_required_fields_are_shown_first() -> None:
    properties = {"b": {"type": "number", "default": 1}, "a": {"type": "number"}}
    schema = {"title": "maker", "properties": properties, "required": ["a"]}

    assert [line.name for line in field_lines(schema)] == ["a", "b"]
    assert type_line(schema).required == ("a",)
