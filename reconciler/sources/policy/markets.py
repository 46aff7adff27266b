"""
On which exchanges and pairs a strategy trades. Pure.

The file's exchange and trading_pair are its first market; a schema says which config fields name another one
(`x-role: exchange|pair` with `x-venue: 2`). Exchanges that only lend a price or candles have no `x-venue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reconciler.catalog import Catalog
from reconciler.catalog.catalog import TEXT
from reconciler.model.spec import StrategySpec, Wish
from reconciler.sources.policy.values import CONFIG, at
from reconciler.sources.strict.shape import Path

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
        """The markets of a strategy, each once; none of a type that Hummingbot tells neither exchange nor pair."""
        own = Traded(Market(spec.exchange, spec.trading_pair), ("exchange",), ("trading_pair",))
        if not self._others and not self._listed:
            return [own] if self._has_own else []
        found = {own.market: own} if self._has_own else {}
        for traded in (*self._further_pairs(spec), *self._further_venues(spec)):
            found.setdefault(traded.market, traded)
        return list(found.values())

    def _further_pairs(self, spec: StrategySpec) -> Iterator[Traded]:
        """Of a type that trades several pairs on its exchange."""
        value = spec.config.get(self._listed, ()) if self._listed else ()
        pairs = value.split(",") if isinstance(value, str) else value
        for index, pair in enumerate(pairs if isinstance(pairs, list) else ()):
            below = () if isinstance(value, str) else (index,)
            yield Traded(
                Market(spec.exchange, str(pair).strip()), ("exchange",), (CONFIG, self._listed, *below)
            )

    def _further_venues(self, spec: StrategySpec) -> Iterator[Traded]:
        for roles in self._others:
            exchange = (
                at(spec.config, self._fields, roles[_EXCHANGE]) if _EXCHANGE in roles else spec.exchange
            )
            pair = at(spec.config, self._fields, roles[_PAIR]) if _PAIR in roles else spec.trading_pair
            if isinstance(exchange, str) and isinstance(pair, str):
                yield Traded(
                    Market(exchange, pair),
                    (CONFIG, *roles[_EXCHANGE]) if _EXCHANGE in roles else ("exchange",),
                    (CONFIG, *roles[_PAIR]) if _PAIR in roles else ("trading_pair",),
                )


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
