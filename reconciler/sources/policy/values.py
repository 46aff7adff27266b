"""What a config says for a field, also when it leaves it out, and numbers in the forms in which fields hold them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconciler.catalog import Field
from reconciler.model.spec import Config
from reconciler.sources.strict.shape import Path

CONFIG = "config"
"""Where a strategy file keeps its config."""


def said(config: Config, fields: Mapping[str, Field], name: str) -> Any:  # noqa: ANN401  (whatever the field holds)
    """A field's value; left out, the default that Hummingbot uses then; None if there is neither."""
    if name in config:
        return config[name]
    field = fields.get(name)
    return None if field is None else field.default


def number(value: object) -> Decimal | None:
    """A number as such; None for what is none."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def numbers(value: object) -> list[tuple[Path, Decimal]]:
    """The numbers of a field and where below it they stand: a number, a list, or a text with commas."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        return [((), Decimal(part)) for part in parts if _is_plain(part)]
    if isinstance(value, list):
        items = ((index, number(item)) for index, item in enumerate(value))
        return [((index,), item) for index, item in items if item is not None]
    single = number(value)
    return [] if single is None else [((), single)]


def _is_plain(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").replace(".", "", 1).isdigit()


def at(config: Config, fields: Mapping[str, Field], path: Path) -> Any:  # noqa: ANN401
    """The value at `path` below `config`; None if there is none."""
    value = said(config, fields, str(path[0]))
    for part in path[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
