"""Where Hummingbot's own file of a strategy type keeps what ours says at its top. Out of the schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

LEGACY, MODEL, CONTROLLER = "legacy", "model", "controller"
"""v1 with ConfigVars and a template; v1 with a pydantic model; v2 controller."""

TEXT, COMMA, LIST = "text", "comma", "list"
"""How a file holds its pairs: one; several in one text, parted by commas; a list."""


class Layout(msgspec.Struct, frozen=True):
    """One strategy type's file. `exchange`, `pair`: paths of its fields, parted by dots; empty: it has none.

    `venue`: which connectors it trades on, `spot` or `perpetual`; empty: either.
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


def layout_of(schema: Mapping[str, Any]) -> Layout:
    """Read a strategy type's schema."""
    return Layout(
        kind=schema.get("x-kind", LEGACY),
        exchange=schema.get("x-exchange-field", ""),
        pair=schema.get("x-pair-field", ""),
        pair_form=schema.get("x-pair-form", TEXT),
        venue=schema.get("x-venue", "").replace("any", ""),
        template_version=schema.get("x-template-version"),
        controller_type=schema.get("x-controller-type", ""),
        rendered={
            name: field["x-render"] for name, field in schema["properties"].items() if "x-render" in field
        },
    )
