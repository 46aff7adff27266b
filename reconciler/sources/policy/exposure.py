"""
Reads from a strategy's file and type on which markets it trades and how much it orders there at once. Pure.

Rule 1: the file's exchange and trading_pair are its first market; a schema says which config fields name another one
(`x-role: exchange|pair` with `x-venue: 2`). Exchanges that only lend a price or candles have no `x-venue`.
Rule 2: the larger side counts, all its levels together: buys and sells of a maker stand against each other.
Rule 3: in the asset that the fields are in; what would need a price is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from reconciler.catalog.catalog import TEXT, Catalog, Field
from reconciler.model.spec import Config, StrategySpec, Wish
from reconciler.sources.yaml.document import Path

_EXCHANGE, _PAIR = "exchange", "pair"


class Market(NamedTuple):
    """One pair on one exchange."""

    exchange: str
    pair: str

    def __str__(self) -> str:
        return f"{self.pair} on {self.exchange}"


class Traded(NamedTuple):
    """A market of a strategy, and where its file says so."""

    market: Market
    exchange_at: Path
    pair_at: Path


class Venues:
    """Where strategies of one type trade. The type must be known."""

    def __init__(self, catalog: Catalog, strategy_type: str) -> None:
        layout = catalog.layout(strategy_type)
        self._fields = catalog.fields(strategy_type)
        self._has_own = bool(layout.exchange or layout.pair)
        self._listed = layout.pair if layout.pair_form != TEXT else ""
        self._others = _others(catalog.schema(strategy_type)["properties"])

    def of(self, spec: StrategySpec) -> list[Traded]:
        """The markets of a strategy, each once; none of a type without exchange and pair."""
        own = Traded(Market(spec.exchange, spec.trading_pair), ("exchange",), ("trading_pair",))
        if not self._others and not self._listed:
            return [own] if self._has_own else []
        found = [own] if self._has_own else []
        value = spec.config.get(self._listed, ()) if self._listed else ()
        pairs = value.split(",") if isinstance(value, str) else value
        for index, pair in enumerate(pairs if isinstance(pairs, list) else ()):
            below = () if isinstance(value, str) else (index,)
            market = Market(spec.exchange, str(pair).strip())
            found.append(Traded(market, ("exchange",), (CONFIG, self._listed, *below)))
        for roles in self._others:
            exchange, pair = spec.exchange, spec.trading_pair
            exchange_at: Path = ("exchange",)
            pair_at: Path = ("trading_pair",)
            if _EXCHANGE in roles:
                exchange = at(spec.config, self._fields, roles[_EXCHANGE])
                exchange_at = (CONFIG, *roles[_EXCHANGE])
            if _PAIR in roles:
                pair, pair_at = at(spec.config, self._fields, roles[_PAIR]), (CONFIG, *roles[_PAIR])
            if isinstance(exchange, str) and isinstance(pair, str):
                found.append(Traded(Market(exchange, pair), exchange_at, pair_at))
        first: dict[Market, Traded] = {}
        for traded in found:
            first.setdefault(traded.market, traded)
        return list(first.values())


def _others(properties: Mapping[str, Any]) -> list[dict[str, Path]]:
    """Of each venue but the first, the paths of the fields that say it, by their role."""
    venues: dict[int, dict[str, Path]] = {}
    for venue, role, path in _roles(properties, ()):
        if venue > 1:
            venues.setdefault(venue, {}).setdefault(role, path)
    return [venues[venue] for venue in sorted(venues)]


def _roles(properties: Mapping[str, Any], above: Path) -> Iterator[tuple[int, str, Path]]:
    for name, spec in properties.items():
        path, role, venue = (*above, name), spec.get("x-role"), spec.get("x-venue")
        if role in {_EXCHANGE, _PAIR} and isinstance(venue, int):
            yield venue, role, path
        yield from _roles(spec.get("properties", {}), path)


def may_trade(spec: StrategySpec) -> bool:
    """Whether a strategy may have orders: not when it is stopped; a suspended one may still run whatever it says."""
    return spec.state is not Wish.STOPPED or spec.suspend is not None


BASE, QUOTE = "base", "quote"
"""x-unit of an amount."""

_AMOUNT, _TOTAL = "order_amount", "total_amount_quote"
"""Hummingbot's names of the size of one order, and of all that a controller may use."""

_OVERRIDE, _SPLIT = "order_override", "split_order_levels_enabled"
_SIDES = ("bid_order_level_amounts", "ask_order_level_amounts")


class Amount(NamedTuple):
    """So much of the base or the quote asset, and where the file says so; `asset`: base or quote."""

    asset: str
    size: Decimal
    at: Path


def ordered(config: Config, fields: Mapping[str, Field]) -> Amount | None:
    """What a strategy of a type with these fields orders; None if its config does not say.

    In Hummingbot's order: level lists come before an override, an override comes before equal levels.
    """
    base, quote = fields.get(_AMOUNT), fields.get(_TOTAL)
    if base is None or base.unit != BASE:
        total = number(said(config, fields, _TOTAL)) if quote is not None and quote.unit == QUOTE else None
        return None if total is None else Amount(QUOTE, total, (CONFIG, _TOTAL))
    if config.get(_SPLIT) is True:
        sums = [sum((size for _, size in numbers(config.get(name))), Decimal()) for name in _SIDES]
        return Amount(BASE, max(sums), (CONFIG, _SIDES[sums.index(max(sums))]))
    if override := config.get(_OVERRIDE):
        sides = {"buy": Decimal(), "sell": Decimal()}
        for side, _, size in override.values() if isinstance(override, Mapping) else ():
            sides[side] += Decimal(size)
        return Amount(BASE, max(sides.values()), (CONFIG, _OVERRIDE))
    amount, step = number(said(config, fields, _AMOUNT)), number(said(config, fields, "order_level_amount"))
    if amount is None:
        return None
    mode = config.get("order_levels_mode")  # where avellaneda keeps its `order_levels`
    levels = number(mode.get("order_levels")) if isinstance(mode, Mapping) else None
    if levels is None:
        levels = number(said(config, fields, "order_levels"))
    if levels is None:
        levels = Decimal(1)
    size = amount * levels + (step or Decimal()) * levels * (levels - 1) / 2
    return Amount(BASE, size, (CONFIG, _AMOUNT))


LEVERAGE = "leverage"


class StrategyKind(NamedTuple):
    """One strategy type. `leverages`: its fields that multiply what is at risk."""

    name: str
    fields: Mapping[str, Field]
    venues: Venues
    leverages: tuple[Field, ...]


def kind_of(catalog: Catalog, strategy_type: str) -> StrategyKind:
    """The type must be known."""
    fields = catalog.fields(strategy_type)
    leverages = (field for name, field in fields.items() if name.rpartition("_")[2] == LEVERAGE)
    return StrategyKind(strategy_type, fields, Venues(catalog, strategy_type), tuple(leverages))


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
        digits = ((part, part.removeprefix("-").replace(".", "", 1)) for part in parts)
        return [((), Decimal(part)) for part, only in digits if only.isascii() and only.isdigit()]
    if isinstance(value, list):
        items = ((index, number(item)) for index, item in enumerate(value))
        return [((index,), item) for index, item in items if item is not None]
    single = number(value)
    return [] if single is None else [((), single)]


def at(config: Config, fields: Mapping[str, Field], path: Path) -> Any:  # noqa: ANN401
    """The value at `path` below `config`; None if there is none."""
    value = said(config, fields, str(path[0]))
    for part in path[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
