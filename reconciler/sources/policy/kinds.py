"""What the rules know of a strategy type, worked out once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.catalog import Catalog, Field
from reconciler.sources.policy.markets import Venues

LEVERAGE = "leverage"


class Kind(NamedTuple):
    """One strategy type. `leverages`: its fields that multiply what is at risk."""

    name: str
    fields: Mapping[str, Field]
    venues: Venues
    leverages: tuple[Field, ...]


def kind_of(catalog: Catalog, strategy_type: str) -> Kind:
    """The type must be known."""
    fields = catalog.fields(strategy_type)
    leverages = (field for name, field in fields.items() if name.rpartition("_")[2] == LEVERAGE)
    return Kind(strategy_type, fields, Venues(catalog, strategy_type), tuple(leverages))
