"""Rules that need to see all strategies: who trades the same market, and how much all of them order there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from reconciler.catalog.units import plainly
from reconciler.errors import Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import OFF, PolicySettings, TotalRow
from reconciler.sources.policy.exposure import BASE, QUOTE, Kind, Market, Traded, may_trade, ordered
from reconciler.sources.policy.findings import Finding, Spot, beside
from reconciler.sources.policy.tables import Rows


class Account(NamedTuple):
    """One profile of credentials: names are the agent's, so that each target has its own."""

    target: str
    name: str


class Exclusive:
    """`policy.exclusive_markets`: one strategy for each account and market. Create anew for each look."""

    def __init__(self, policy: PolicySettings) -> None:
        self._mode = policy.exclusive_markets
        self._traders: dict[tuple[Account, Market], list[Spot]] = {}

    def add(self, spec: StrategySpec, kind: Kind, markets: list[Traded]) -> None:
        del kind
        if self._mode == OFF or not may_trade(spec):
            return
        account = Account(spec.target, spec.account)
        for traded in markets:
            self._traders.setdefault((account, traded.market), []).append(Spot(spec, traded.pair_at))

    def findings(self) -> Iterator[Finding]:
        """One for each of those that share a market, naming the others."""
        for (account, market), spots in self._traders.items():
            one_each = list({spot.name: spot for spot in spots}.values())
            if len(one_each) == 1:
                continue
            what = (
                f"{market} is traded with account {account.name} by more than one strategy, "
                f"which policy.exclusive_markets forbids"
            )
            fix = "give one of them another account or pair, or stop it (state: stopped)"
            for spot, others, more in beside(one_each):
                yield Finding(spot, what, fix, Severity(self._mode), others, more)


class _Share(NamedTuple):
    """What one strategy orders, and where its file says so."""

    spot: Spot
    size: Decimal


class Totals:
    """`policy.max_total_amount`: all strategies of the fleet together. Create anew for each look."""

    def __init__(self, limits: Mapping[str, Rows[TotalRow]]) -> None:
        self._limits = limits
        self._shares: dict[tuple[Market, str], list[_Share]] = {}

    def add(self, spec: StrategySpec, kind: Kind, markets: list[Traded]) -> None:
        if not self._limits or not may_trade(spec):
            return
        amount = ordered(spec.config, kind.fields)
        if amount is None or amount.asset not in self._limits or not amount.size:
            return
        for traded in markets:
            shares = self._shares.setdefault((traded.market, amount.asset), [])
            shares.append(_Share(Spot(spec, amount.at), amount.size))

    def findings(self) -> Iterator[Finding]:
        """One for each strategy with a share in what is too much, as an error if it is one."""
        for (market, asset), shares in self._shares.items():
            total = sum((share.size for share in shares), Decimal())
            for severity, row in self._limits[asset].fitting(market):
                most = row.base if asset == BASE else row.quote
                if most is not None and total > most:
                    yield from _too_much(market, _Total(asset, total, most, severity), shares)
                    break


def total_limits(policy: PolicySettings) -> dict[str, Rows[TotalRow]]:
    """The rows that limit each asset, if there are any."""
    base = [row for row in policy.max_total_amount if row.base is not None]
    quote = [row for row in policy.max_total_amount if row.quote is not None]
    return {asset: Rows(rows, policy.severity) for asset, rows in ((BASE, base), (QUOTE, quote)) if rows}


class _Total(NamedTuple):
    """What is ordered on a market, and the most that may be."""

    asset: str
    size: Decimal
    most: Decimal
    severity: Severity


def _too_much(market: Market, total: _Total, shares: list[_Share]) -> Iterator[Finding]:
    base, _, quote = market.pair.partition("-")
    name = base if total.asset == BASE else quote
    spots = beside([share.spot for share in shares])
    for (spot, others, more), (_, size) in zip(spots, shares, strict=True):
        part = (
            f"{plainly(size)} of {plainly(total.size)} {name} in all" if others else f"{plainly(size)} {name}"
        )
        what = (
            f"{part} ordered for {market}: more than policy.max_total_amount = {plainly(total.most)} allows"
        )
        fix = f"take away {plainly(total.size - total.most)} {name}, here or there, or stop one (state: stopped)"
        yield Finding(spot, what, fix, total.severity, others, more)
