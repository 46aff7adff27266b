"""
What one field asks of another, which JSON Schema cannot say → Violations. Pure.

Rule 1: only what Hummingbot itself refuses or stumbles over is asked.
Rule 2: a field that is missing or of a wrong kind is somebody else's violation.
"""
# ruff: noqa: ANN401  (values of configs, whatever they are)

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from reconciler.catalog.violations import Violation
from reconciler.model.spec import Config

Relation: TypeAlias = Mapping[str, Any]
"""One of a schema's x-relations: `field`, and what is asked of it."""


def broken(
    relations: Sequence[Relation],
    config: Config,
    *,
    exchange: str,
    trading_pair: str,
    rendered: Mapping[str, Any],
) -> Iterator[Violation]:
    """The relations that a strategy does not keep. `rendered`: what Hummingbot gets for fields that are left out."""
    whole = {**rendered, **config}
    for relation in relations:
        field = relation["field"]
        for asked, check in _CHECKS.items():
            if whole.get(field) is None or asked not in relation:
                continue
            for violation in check(field, whole[field], relation[asked], whole, (exchange, trading_pair)):
                yield violation if field in config else _left_out(violation)


def _left_out(violation: Violation) -> Violation:
    """The same of a field that is not in the file, where Hummingbot's own default does not fit."""
    what = f"left out, Hummingbot's default counts: {violation.what}"
    return Violation(violation.path, what, violation.fix, key=True, missing=True)


def _same_length(
    field: str,
    value: Any,
    other: str,
    config: Config,
    own: tuple[str, str],
) -> Iterator[Violation]:
    del own
    if other not in config and other.endswith("markets"):
        wanted = 1
    elif config.get(other) is not None:
        wanted = len(_items(config[other]))
    else:
        return  # Hummingbot's own default: there is nothing of ours to compare with
    if len(_items(value)) != wanted:
        what = f"{len(_items(value))} items, but {other} has {wanted}"
        yield Violation((field,), what, f"write as many items as {other} has")


def _differs(
    field: str,
    value: Any,
    other: str,
    config: Config,
    own: tuple[str, str],
) -> Iterator[Violation]:
    del config
    if value == own[0]:
        yield Violation((field,), f"{value} is the strategy's own {other}", "name another one")


def _asset_of(
    field: str,
    value: Any,
    other: str,
    config: Config,
    own: tuple[str, str],
) -> Iterator[Violation]:
    pairs = _items(config.get(other)) or [own[1]]
    assets = sorted({asset for pair in pairs for asset in str(pair).upper().split("-")})
    if str(value).upper() not in assets:
        yield Violation(
            (field,),
            f"{value} is no asset of {', '.join(map(str, pairs))}",
            f"write one of {', '.join(assets)}",
        )


def _sum_below(
    field: str,
    value: Any,
    limit: Any,
    config: Config,
    own: tuple[str, str],
) -> Iterator[Violation]:
    del config, own
    parts = value.values() if isinstance(value, Mapping) else ()
    total = sum(part for part in parts if isinstance(part, int | Decimal))
    if total >= limit:
        yield Violation((field,), f"together they are {total}", f"make their sum less than {limit}")


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, int | Decimal):
        return [value]
    return value if isinstance(value, list | tuple) else ()


_Check: TypeAlias = Callable[[str, Any, Any, Config, tuple[str, str]], Iterator[Violation]]

_CHECKS: dict[str, _Check] = {
    "same_length": _same_length,
    "differs": _differs,
    "asset_of": _asset_of,
    "sum_below": _sum_below,
}
