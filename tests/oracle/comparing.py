"""Our verdict and Hummingbot's on a value of a field, and whether what Hummingbot holds is what was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from reconciler.catalog import Catalog
from reconciler.catalog.units import spelled
from reconciler.catalog.violations import validator_class
from reconciler.model.spec import StrategySpec
from reconciler.sources.check import check
from tests.oracle import REFUSED

NUMBERS = [
    *(-1000, -101, -100, -11, -10, -2, -1, 0, 1, 2, 3, 4, 5, 6, 10, 11, 50, 99, 100, 101, 1000, 10**9),
    *map(
        Decimal, ("-100.5", "-10.1", "-1.5", "-0.5", "-0.1", "0.0001", "0.001", "0.01", "0.1", "0.5", "1.0")
    ),
    *map(Decimal, ("1.5", "2.5", "9.99", "50.5", "99.99", "100.5", "123456.789")),
]
WORDS = [
    *(
        "",
        " ",
        "x",
        "some words",
        "null",
        "none",
        "nan",
        "inf",
        "true",
        "True",
        "yes",
        "no",
        "off",
        "on",
        "y",
        "n",
    ),
    *(
        "0.1",
        "5",
        "-1",
        "+2",
        "1e3",
        "0x10",
        "1_000",
        "0.1%",
        "10bps",
        "50%",
        "1,2",
        "0.01,0.02",
        "1, 2",
        "-1,2",
    ),
    *("101,2", "1,,2", "0,1", "1;2", "0.5,10-1,20", "BTC-USDT", "btc-usdt", "BTC/USDT", "ETH-USDT,BTC-USDT"),
    *(
        "binance",
        "Binance",
        "binance_perpetual",
        "binance_paper_trade",
        "no_exchange",
        "https://example.org/price",
    ),
    *(
        "2026-01-02 03:04:05",
        "2026-01-02",
        "03:04:05",
        "25:00:00",
        "1m",
        "MARKET",
        "limit",
        "BUY",
        "ONEWAY",
        "HEDGE",
    ),
]
SHAPES: list[Any] = [
    *(
        [],
        [1],
        [1, 2],
        [Decimal("0.01"), Decimal("0.02")],
        [-1],
        ["a"],
        [1, "x"],
        [[1, 2]],
        [[1, 2], [3, 4]],
        [None],
    ),
    *({}, {"a": 1}, {"a": ["buy", 1, 2]}, {"order_levels": 3, "level_distances": 1}, {"order_levels": 1}),
    *(
        {"hanging_orders_cancel_pct": 10},
        {"hanging_orders_cancel_pct": 0},
        {"activation_price": 1, "trailing_delta": 1},
    ),
    *({"start_time": "01:00:00", "end_time": "02:00:00"}, {"start_time": "1", "end_time": "2"}),
    *(
        {"connector_name": "binance", "trading_pair": "A-B"},
        {"connector_name": "binance"},
        {"cancel_order_threshold": 5},
    ),
]


class Verdict(msgspec.Struct, frozen=True):
    """Of one value: `ours`, whether a file with it is valid; `theirs`, whether Hummingbot holds what was written."""

    kind: str
    field: str
    value: str
    ours: bool
    theirs: bool
    held: str
    validators_agree: bool = True

    @property
    def agree(self) -> bool:
        return self.ours == self.theirs

    def __str__(self) -> str:
        words = {True: "takes", False: "refuses"}
        return f"{self.kind}.{self.field}: {self.value}: we {words[self.ours][:-1]}, Hummingbot {words[self.theirs]} ({self.held})"


def values_for(catalog: Catalog, kind: str, field: str) -> list[Any]:
    """Values of all kinds, and every word that the field's schema has."""
    schema = catalog.schema(kind)["properties"][field]
    words = [word for word in _words_in(schema) if word not in WORDS]
    return [None, True, False, *NUMBERS, *WORDS, *SHAPES, *words]


def _words_in(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", ()) if word is not None)
        for part in schema.get("anyOf", ()):
            yield from _words_in(part)


def as_sent(catalog: Catalog, spec: StrategySpec, field: str, value: Any) -> tuple[bool, Any, bool]:
    """Whether a strategy file with this value is valid, the value that Hummingbot gets then, and whether it gets none:
    null for a field that takes none is read as left out.
    """
    config = {**spec.config, field: value}
    document = {
        "strategy_type": spec.strategy_type,
        "exchange": spec.exchange,
        "trading_pair": spec.trading_pair,
        "config": config,
    }
    specs = check(_yaml(document).encode(), "f.yaml", catalog).specs
    if not specs:
        return False, value, False
    return True, specs[0].config.get(field), field not in specs[0].config


def validators_agree(catalog: Catalog, spec: StrategySpec, field: str, value: Any) -> bool:
    """Whether jsonschema-rs and jsonschema say the same of a config with this value, as a bot is sent it."""
    config = {**spec.config, field: value}
    kind = spec.strategy_type
    return bool(catalog.is_valid(kind, config) == _explainer(catalog, kind).is_valid(config))


@cache
def _explainer(catalog: Catalog, kind: str) -> Any:
    return validator_class()(catalog.schema(kind))


def _yaml(value: Any) -> str:
    """JSON, which is YAML as well; every number as it was written."""
    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def is_held(written: Any, held: Any) -> bool:  # noqa: PLR0911  (one for each kind of value)
    """Whether what Hummingbot holds is what was written, maybe in another spelling."""
    if held == REFUSED:
        return False
    if isinstance(held, dict) and "words" in held:
        return any(is_held(written, word) for word in held["words"])
    if isinstance(held, dict) and set(held) == {"number"}:
        number = _number(written)
        return number is not None and float(number) == float(held["number"])
    if isinstance(held, bool):
        return written is held or (isinstance(written, str) and spelled(written, ("boolean",)) is held)
    if isinstance(held, dict):
        return _is_held_model(written, held)
    if isinstance(held, list):
        return _is_held_list(written, held)
    return bool(written == held) or (written is None and held is None)


def _number(written: Any) -> Decimal | None:
    if isinstance(written, bool) or not isinstance(written, int | Decimal | str):
        return None
    if isinstance(written, str):
        read = spelled(written, ("number",))
        return None if read is None else Decimal(read)
    return Decimal(written)


def _is_held_model(written: Any, held: dict[str, Any]) -> bool:
    fields = held["fields"]
    if isinstance(written, str):
        parts = [part.strip() for part in written.split(",")]
        return written == held.get("title") or (
            len(parts) == len(fields) and all(map(is_held, parts, fields.values()))
        )
    if not isinstance(written, dict):
        return False
    return all(name in fields and is_held(value, fields[name]) for name, value in written.items())


def _is_held_list(written: Any, held: list[Any]) -> bool:
    if written is None:
        return True  # worked out by Hummingbot, as the schema says
    if isinstance(written, str):
        parts: list[Any] = written.split(",")
        if held and isinstance(held[0], list):
            parts = [part.split(",") for part in written.split("-")]
        written = [part.strip() if isinstance(part, str) else part for part in parts]
    if not isinstance(written, list):
        written = [written]
    return len(written) == len(held) and all(map(is_held, written, held))


def shown(value: Any) -> str:
    """A value in a line of a report."""
    return json.dumps(value, default=str, ensure_ascii=False)
