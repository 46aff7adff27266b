"""
What a strategy asks of its venues that Hummingbot's connectors cannot do → Violations.

Rule 1: pure: values in, values out; the facts about connectors stand in `venues`.
Rule 2: only what Hummingbot itself refuses or fails on is an error; what it silently ignores is a doubt (a warning).
Rule 3: a field that is left out counts with Hummingbot's default, and the message says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from reconciler.catalog.venues import (
    CANDLES,
    GATEWAY_CHAINS,
    INTERVALS,
    MONITORS,
    ONEWAY_ONLY,
    ONEWAY_UNLESS_USDT,
    PAPER,
    TESTNET,
    VERSION,
)
from reconciler.catalog.violations import Violation, listed, nearest
from reconciler.model.spec import Config

SECOND_VENUES = {
    "arbitrage_controller": ("exchange_pair_2", "connector_name"),
    "stat_arb": ("connector_pair_hedge", "connector_name"),
    "xemm_multiple_levels": ("taker_connector",),
}
"""Controllers that place orders on a second venue → where its connector stands."""

NO_GATEWAY = "is a venue of Hummingbot's Gateway, which is not supported"

NO_PAPER = f"controllers that place orders do not run on {PAPER.removeprefix('_')} connectors in Hummingbot {VERSION}"
"""Their executors read the trading rules of a connector, which those of paper trade lack."""

PRICE_SOURCES = {
    "price_source_exchange": "external_market",
    "price_source_derivative": "external_market",
    "price_source_market": "external_market",
    "price_source_custom_api": "custom_api",
}
"""Fields that name a source of prices → the price_source that reads them."""

MODES = ("position_mode", "hedge_position_mode")
"""Fields that hold a position mode."""


class Use(msgspec.Struct, frozen=True, gc=False):
    """One strategy's use of its venues. `defaults`: what Hummingbot uses for fields that are left out."""

    strategy_type: str
    is_controller: bool
    fields: Collection[str]
    defaults: Mapping[str, Any]
    config: Config
    exchange: str
    trading_pair: str

    def value(self, *path: str) -> Any:  # noqa: ANN401  (any value of a config)
        """The value at a path, Hummingbot's default if its first field is left out; None if there is none."""
        value: Any = self.config.get(path[0], self.defaults.get(path[0]))
        for part in path[1:]:
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def violation(self, path: tuple[str | int, ...], what: str, fix: str) -> Violation:
        """A violation at a field, which may be left out."""
        if path[0] in self.config:
            return Violation(path, what, fix)
        said = f"left out, Hummingbot's default applies: {what}"
        return Violation(path[:1], said, fix, key=True, missing=True)


def is_gateway(name: str) -> bool:
    """Whether a name is one of Gateway's: `jupiter/router`, or a network such as `solana-mainnet-beta`."""
    return "/" in name or name.startswith(GATEWAY_CHAINS)


def no_connector(name: str, connectors: Collection[str]) -> tuple[str, str] | None:
    """Why a name is no connector, and the fix; None if it is one. `connectors`: those that are known, or none."""
    if is_gateway(name):
        return f"{name} {NO_GATEWAY}", "name a connector of Hummingbot itself, such as binance"
    if not connectors or name in connectors:
        return None
    near = nearest(name, connectors)
    fix = f"did you mean {near}?" if near else f"write one of {listed(connectors)}"
    return f"{name!r} is not a connector of Hummingbot", fix


def venue_violations(use: Use, connectors: Collection[str]) -> Iterator[Violation]:
    """What the venues of a strategy cannot do. `connectors`: the names that Hummingbot knows; empty: not known."""
    yield from _candles(use)
    yield from _second_venue(use, connectors)
    yield from _modes(use)


def exchange_fault(strategy_type: str, exchange: str, *, is_controller: bool) -> tuple[str, str] | None:
    """What is wrong with the strategy's own exchange, and its fix; None if nothing is."""
    if is_controller and strategy_type not in MONITORS and exchange.endswith(PAPER):
        return NO_PAPER, f"write {exchange.removesuffix(PAPER)}, or use a v1 strategy"
    return None


def _second_venue(use: Use, connectors: Collection[str]) -> Iterator[Violation]:
    """A second venue that is none, or on which a controller's executors do not run."""
    path = SECOND_VENUES.get(use.strategy_type)
    second = use.value(*path) if path else None
    if not path or not isinstance(second, str):
        return
    if (fault := no_connector(second, connectors)) is not None:
        yield use.violation(path, *fault)
    elif second.endswith(PAPER):
        yield use.violation(path, NO_PAPER, f"write {second.removesuffix(PAPER)}")


def _modes(use: Use) -> Iterator[Violation]:
    """HEDGE on a connector that knows ONEWAY alone; the spelling of the mode differs between types."""
    venues = {use.exchange: use.trading_pair}
    if use.strategy_type == "stat_arb":
        venues[str(use.value("connector_pair_hedge", "connector_name"))] = str(
            use.value("connector_pair_hedge", "trading_pair")
        )
    for field in MODES:
        mode = use.value(field) if field in use.fields else None
        if not isinstance(mode, str) or mode.upper() != "HEDGE":
            continue
        oneway = "One-way" if mode == "Hedge" else "ONEWAY"
        for venue, pair in venues.items():
            if venue in ONEWAY_ONLY:
                what = f"{venue} knows position mode {oneway} only, not {mode}"
                yield use.violation((field,), what, f"write {field}: {oneway}")
            elif venue in ONEWAY_UNLESS_USDT and not pair.endswith("-USDT"):
                what = f"{venue} knows position mode {oneway} only for {pair}, which is not quoted in USDT"
                yield use.violation((field,), what, f"write {field}: {oneway}")


def venue_doubts(use: Use) -> Iterator[Violation]:
    """Sources of prices that are named, but that the strategy's price_source does not read."""
    source = use.value("price_source")
    for field, wanted in PRICE_SOURCES.items():
        if source is not None and source != wanted and use.config.get(field) is not None:
            what = f"it is set but price_source is {source}, which does not read it"
            yield Violation((field,), what, f"write price_source: {wanted}, or remove {field}")


def _candles(use: Use) -> Iterator[Violation]:
    """Candles that a connector does not have: of this connector at all, of this length, or none of them."""
    if not use.is_controller:
        return
    if "candles_connector" in use.fields and "interval" in use.fields:
        connector = use.value("candles_connector")
        yield from _feed(use, ("candles_connector",), connector or use.exchange, own=not connector)
        yield from _interval(use, ("interval",), use.value("interval"), connector or use.exchange)
    elif use.strategy_type in {"quantum_grid_allocator", "stat_arb"}:
        connectors: dict[tuple[str, ...], Any] = {("interval",): use.exchange}
        if use.strategy_type in SECOND_VENUES:
            path = SECOND_VENUES[use.strategy_type]
            connectors[path] = use.value(*path)
        for path, connector in connectors.items():
            yield from _feed(use, path, connector, own=path == ("interval",))
        unique = dict.fromkeys(connectors.values())
        for connector in unique:
            yield from _interval(use, ("interval",), use.value("interval"), connector)
    feeds = use.value("candles_config")
    for index, feed in enumerate(feeds if isinstance(feeds, list | tuple) else ()):
        if not isinstance(feed, Mapping):
            continue
        item = ("candles_config", index)
        yield from _feed(use, (*item, "connector"), feed.get("connector"))
        yield from _interval(use, (*item, "interval"), feed.get("interval", "1m"), feed.get("connector"))
        records = feed.get("max_records", 1)
        if isinstance(records, int) and records < 1:
            what = f"{records} candles are none"
            yield use.violation((*item, "max_records"), what, "write a number above 0, such as 500")


def _feed(
    use: Use,
    path: tuple[str | int, ...],
    connector: Any,  # noqa: ANN401  (any value of a config)
    *,
    own: bool = False,
) -> Iterator[Violation]:
    """A connector without candles. `own`: it is the strategy's own, because no other one is named."""
    if not isinstance(connector, str) or connector in CANDLES or (own and is_gateway(connector)):
        return  # a strategy on Gateway has a message of its own
    live = connector.removesuffix(PAPER).removesuffix(TESTNET)
    near = live if live in CANDLES else "binance"
    what = f"Hummingbot {VERSION} has no candles of {connector}"
    if not own:
        yield use.violation(path, what, f"name a connector with candles, such as {near}")
        return
    left_out = path[0] not in use.config
    fix = f"trade on an exchange with candles, such as {near}"
    if path == ("candles_connector",):
        fix = f"write candles_connector: {near}, or another connector with candles"
    said = f"{what}, the strategy's own exchange, and the strategy asks for them"
    yield Violation(path, said, fix, key=left_out, missing=left_out)


def _interval(
    use: Use,
    path: tuple[str | int, ...],
    interval: Any,  # noqa: ANN401  (any value of a config)
    connector: Any,  # noqa: ANN401
) -> Iterator[Violation]:
    """A length of a candle that the connector does not know; that none knows if the connector has no candles."""
    known = CANDLES.get(connector, INTERVALS) if isinstance(connector, str) else INTERVALS
    if isinstance(interval, str) and interval not in known:
        whose = f" that {connector} has" if known is not INTERVALS else ""
        what = f"{interval!r} is no length of candles{whose}"
        yield use.violation(path, what, f"write one of {', '.join(known)}")
