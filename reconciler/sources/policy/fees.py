"""
Applies `policy.fees`: finds values that make a strategy trade at a loss against the fee. Pure.

Rule 1: what an exchange takes is what the settings say; nothing is assumed.
Rule 2: only a loss that follows from the values themselves is reported: a trade there and back, at the prices that the
strategy asks for, earns no more than its fees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from reconciler.catalog.units import FRACTION, PERCENT, in_percent, plainly
from reconciler.errors import Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import DEFAULT_FEES, FeeRow
from reconciler.sources.policy.exposure import CONFIG, StrategyKind, Traded, numbers, said
from reconciler.sources.policy.findings import Finding, Spot

_UNITS = {PERCENT: PERCENT, FRACTION: FRACTION, "fractions": FRACTION}

_SPREADS = (("bid_spread", "ask_spread"), ("buy_spreads", "sell_spreads"))
"""Distances of both sides from the price. Their sum is what a buy and a sell earn together."""

_PROFITS = ("long_profit_taking_spread", "short_profit_taking_spread", "take_profit")
"""Distance from the entry at which a position is closed again."""

_LIMIT_ORDERS = {2, 3, "LIMIT", "LIMIT_MAKER"}
"""take_profit_order_type whose take_profit is a price; at market it counts what is left after fees (Hummingbot's
position executor)."""

_UNPAID = {"cross_exchange_market_making"}
"""Their min_profitability is before fees: the maker's price is the taker's and that, nothing else."""

_PAPER = "_paper_trade"


class Margin(NamedTuple):
    """What a trade there and back earns at best, in percent: `words` say of what, `field` is where it stands."""

    field: str
    words: str
    earned_pct: Decimal


class Losses:
    """A rule like those of `alone`. Always a warning: markets move, and rebates are not always in a table."""

    def __init__(self, fees: Mapping[str, FeeRow]) -> None:
        self._fees = fees

    def __call__(self, spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> Iterator[Finding]:
        if not markets:
            return
        first, last = markets[0].market.exchange, markets[-1].market.exchange
        maker, other = self._of(first).maker, self._of(first).maker
        fees = f"two maker fees on {first}"
        if kind.name in _UNPAID:
            other = self._of(last).taker
            fees = f"the maker fee on {first} and the taker fee on {last}"
        if maker is None or other is None:
            return
        fees_pct = maker + other
        for margin in _margins(spec, kind):
            lost = fees_pct - margin.earned_pct
            if lost < 0:
                continue
            earned, paid = plainly(margin.earned_pct), plainly(fees_pct)
            result = f"each round trip loses {plainly(lost)} %" if lost else "a round trip earns nothing"
            left_out = "" if margin.field in spec.config else "left out: "
            what = f"{left_out}{margin.words} {earned} %, but {fees} (policy.fees) take {paid} %: {result}"
            spot = Spot(spec, (CONFIG, margin.field))
            yield Finding(spot, what, f"bring it above {paid} %", Severity.WARNING)

    def _of(self, exchange: str) -> FeeRow:
        """Paper trading is held to the fees of the exchange that it is about."""
        for name in (exchange, exchange.removesuffix(_PAPER), DEFAULT_FEES):
            if name in self._fees:
                return self._fees[name]
        return FeeRow()


_OTHERWISE = ("add_transaction_costs", "split_order_levels_enabled", "order_override")
"""Where one of these is set, orders stand elsewhere than bid_spread and ask_spread say."""


def _margins(spec: StrategySpec, kind: StrategyKind) -> Iterator[Margin]:
    """The margins that follow from the config itself, whichever way the type states them."""
    if kind.name in _UNPAID:
        least = _least_pct(spec, kind, "min_profitability")
        if least is not None:
            yield Margin("min_profitability", "a trade earns as little as", least)
    elif any(name in kind.fields for name in _PROFITS):
        order_type = said(spec.config, kind.fields, "take_profit_order_type")
        is_price = "take_profit_order_type" in kind.fields and order_type in _LIMIT_ORDERS
        for name in _PROFITS:
            least = _least_pct(spec, kind, name)
            if least is not None and (is_price or name != "take_profit"):
                yield Margin(name, "closing there earns", least)
    elif not any(spec.config.get(name) for name in _OTHERWISE):
        for bid, ask in _SPREADS:
            below, above = _least_pct(spec, kind, bid), _least_pct(spec, kind, ask)
            if below is not None and above is not None:
                yield Margin(bid, f"{bid} + {ask} =", below + above)


def _least_pct(spec: StrategySpec, kind: StrategyKind, name: str) -> Decimal | None:
    """The smallest number of a field, in percent; None if it has none, or is in another unit."""
    field = kind.fields.get(name)
    values = numbers(said(spec.config, kind.fields, name)) if field and field.unit in _UNITS else []
    return in_percent(min(value for _, value in values), _UNITS[field.unit]) if field and values else None
