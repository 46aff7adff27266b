"""
Strategy ↔ the file that Hummingbot reads.

Rule 1: pure: values in, values out; the agent writes the file.
Rule 2: nothing is converted: a config is in Hummingbot's own units already.
Rule 3: there and back gives the same: what only Hummingbot needs is added on the way there and dropped on the way back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import yaml

from reconciler.catalog.catalog import COMMA, CONTROLLER, LEGACY, LIST, Catalog, Layout
from reconciler.model.spec import Config

V1, V2 = "v1", "controller"
"""Where a file belongs: conf/strategies, or conf/controllers."""

_OWN = {"strategy", "template_version", "id", "controller_name", "controller_type"}
"""Fields in which Hummingbot's files name themselves."""


class BotFile(msgspec.Struct, frozen=True):
    """One file for Hummingbot. `kind`: V1 or V2. `data`: its fields in the order in which they are written."""

    kind: str
    data: Mapping[str, Any]


class UnmappedPair(ValueError):
    """A list of pairs that does not begin with the strategy's own."""


def to_hummingbot(  # noqa: PLR0913  (a strategy, by its parts)
    catalog: Catalog, strategy_type: str, *, name: str, exchange: str, trading_pair: str, config: Config
) -> BotFile:
    """Put a strategy into the form of Hummingbot's own file. The type must be known to `catalog`.

    Raises:
        UnmappedPair: the config lists pairs, and the first of them is not `trading_pair`.
    """
    layout = catalog.layout(strategy_type)
    data: dict[str, Any] = {"strategy": strategy_type}
    if layout.kind == CONTROLLER:
        data = {"id": name, "controller_name": strategy_type, "controller_type": layout.controller_type}
    elif layout.kind == LEGACY and layout.template_version is not None:
        data = {"template_version": layout.template_version, **data}
    if layout.exchange:
        _put(data, layout.exchange, exchange)
    if layout.pair:
        listed = config.get(layout.pair) if layout.pair_form != "text" else None
        _put(data, layout.pair, _pairs(layout, trading_pair, listed))
    for field, value in config.items():
        if field == layout.pair:
            continue
        known = data.get(field)  # exchange or pair, where they are kept below this field
        merge = isinstance(known, dict) and isinstance(value, Mapping)
        data[field] = {**(known or {}), **value} if merge else value
    own = {"=exchange": exchange, "=trading_pair": trading_pair}
    for field, value in layout.rendered.items():
        data.setdefault(field, own.get(value, value) if isinstance(value, str) else value)
    return BotFile(V2 if layout.kind == CONTROLLER else V1, data)


def from_hummingbot(
    catalog: Catalog, strategy_type: str, data: Mapping[str, Any]
) -> tuple[str, str, dict[str, Any]]:
    """Exchange, trading pair and config out of what Hummingbot's file says; empty texts where it has none.

    Fields that are there only because Hummingbot needs them are left out, and so are those that say nothing.
    """
    layout = catalog.layout(strategy_type)
    rest = {field: _exact(value) for field, value in data.items() if field not in _OWN}
    exchange = _take(rest, layout.exchange) if layout.exchange else ""
    pairs = _listed(_take(rest, layout.pair)) if layout.pair else []
    own = {"=exchange": exchange, "=trading_pair": pairs[0] if pairs else ""}
    rendered = {
        field: own.get(value, value) if isinstance(value, str) else value
        for field, value in layout.rendered.items()
    }
    config = {
        field: value
        for field, value in rest.items()
        if value is not None and not (field in rendered and rendered[field] == value)
    }
    if len(pairs) > 1:
        config[layout.pair] = _pairs(layout, pairs[0], pairs)
    return str(exchange or ""), pairs[0] if pairs else "", config


def to_yaml(file: BotFile) -> str:
    """The file's text, which YAML 1.1 reads back to the same values: Hummingbot's loaders read that."""
    return yaml.dump(dict(file.data), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _pairs(layout: Layout, pair: str, listed: Any) -> Any:  # noqa: ANN401  (text or list, as the file has it)
    pairs = _listed(listed) or [pair]
    if pairs[0] != pair:
        raise UnmappedPair(f"{layout.pair} begins with {pairs[0]}, not with trading_pair {pair}")
    if layout.pair_form == LIST:
        return pairs
    return ",".join(pairs) if layout.pair_form == COMMA else pair


def _listed(value: Any) -> list[str]:  # noqa: ANN401
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(item) for item in value] if isinstance(value, Sequence) else []


def _put(data: dict[str, Any], path: str, value: object) -> None:
    *above, last = path.split(".")
    for name in above:
        data = data.setdefault(name, {})
    data[last] = value


def _take(data: dict[str, Any], path: str) -> Any:  # noqa: ANN401
    """Remove the value at `path`; a mapping that is empty then goes with it."""
    first, _, below = path.partition(".")
    if not below:
        return data.pop(first, None)
    inner = data.get(first)
    if not isinstance(inner, Mapping):
        return None
    rest = dict(inner)
    value = _take(rest, below)
    data[first] = rest
    if not rest:
        del data[first]
    return value


def _exact(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    return [_exact(item) for item in value] if isinstance(value, list) else value


class _Dumper(yaml.SafeDumper):
    """Writes Decimals as plain digits, since YAML 1.1 reads `1e-9` as a text, and no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True

    def represent_decimal(self, value: Decimal) -> yaml.ScalarNode:
        whole = value == value.to_integral_value()
        digits = f"{value.quantize(Decimal(1)) if whole else value:f}"
        kind = "float" if "." in digits else "int"
        return self.represent_scalar(f"tag:yaml.org,2002:{kind}", digits)


_Dumper.add_representer(Decimal, _Dumper.represent_decimal)
