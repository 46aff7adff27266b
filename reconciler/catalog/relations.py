"""
What one field asks of another, which JSON Schema cannot say → Violations.

Rule 1: pure: values in, values out.
Rule 2: only what Hummingbot itself refuses or fails on is asked.
Rule 3: a missing field or one of a wrong type is another check's violation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from reconciler.catalog.violations import Violation
from reconciler.model.spec import Config

Relation: TypeAlias = Mapping[str, Any]
"""One of a schema's x-relations: `field`, and what is asked of it.

`same_length: other`: as many items as the list `other` has. `differs: exchange`: another one than the strategy's own.
`asset_of: other`: an asset of one of the pairs in `other`, or of the strategy's own pair. `sum_below: limit`: the sum of
its values stays below.
"""


def broken(
    relations: Sequence[Relation],
    config: Config,
    *,
    exchange: str,
    trading_pair: str,
    rendered: Mapping[str, Any],
) -> Iterator[Violation]:
    """The relations that a strategy violates. `rendered`: what Hummingbot gets for fields that are left out."""
    whole = {**rendered, **config}
    for relation in relations:
        field = relation["field"]
        if whole.get(field) is None:
            continue
        for what, fix in _faults(relation, whole[field], whole, exchange, trading_pair):
            if field in config:
                yield Violation((field,), what, fix)
            else:
                said = f"left out, Hummingbot's default applies: {what}"
                yield Violation((field,), said, fix, key=True, missing=True)


def _faults(
    relation: Relation,
    value: Any,  # noqa: ANN401  (any value of a config)
    config: Config,
    exchange: str,
    trading_pair: str,
) -> Iterator[tuple[str, str]]:
    """What is wrong with the value of a relation's field, and its fix: one for each thing that is asked of it."""
    if (other := relation.get("same_length")) is not None:
        wanted = len(_items(config[other])) if config.get(other) is not None else None
        if other not in config and other.endswith("markets"):
            wanted = 1
        # Without one of its own, Hummingbot's default counts, which is not known here.
        if wanted is not None and len(_items(value)) != wanted:
            yield (
                f"{len(_items(value))} items, but {other} has {wanted}",
                f"write as many items as {other} has",
            )
    if (other := relation.get("differs")) is not None and value == exchange:
        yield f"{value} is the strategy's own {other}", "name another one"
    if (other := relation.get("asset_of")) is not None:
        pairs = _items(config.get(other)) or [trading_pair]
        assets = sorted({asset for pair in pairs for asset in str(pair).split("-")})
        if str(value).upper() not in map(str.upper, assets):
            yield (
                f"{value} is not an asset of {', '.join(map(str, pairs))}",
                f"write one of {', '.join(assets)}",
            )
    if (limit := relation.get("sum_below")) is not None:
        parts = value.values() if isinstance(value, Mapping) else ()
        total = sum(part for part in parts if isinstance(part, int | Decimal))
        if total >= limit:
            yield f"together they are {total}", f"make their sum less than {limit}"


def _items(value: Any) -> Sequence[Any]:  # noqa: ANN401  (any value of a config)
    """The items of a list as Hummingbot reads it: a list, a text with commas, a number alone."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, int | Decimal):
        return [value]
    return value if isinstance(value, list | tuple) else ()
