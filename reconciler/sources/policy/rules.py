"""
Makes the rules that `policy` sets, and applies them to a fleet: `policy` × catalog × files → files. Pure.

Rule 1: a rule that nobody set finds nothing and costs nothing.
Rule 2: one pass over all strategies; what they share is kept by market.
Rule 3: settings that could never apply (a field or an exchange that nobody knows) are refused: a guard with a
typo in it guards nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from reconciler.catalog.catalog import Catalog
from reconciler.catalog.units import plainly
from reconciler.catalog.violations import listed, nearest
from reconciler.errors import SettingsError, Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import DEFAULT_FEES, OFF, PolicySettings
from reconciler.sources.base import Files
from reconciler.sources.policy.exposure import (
    CONFIG,
    Market,
    StrategyKind,
    Traded,
    kind_of,
    may_trade,
    number,
    said,
)
from reconciler.sources.policy.fees import Losses
from reconciler.sources.policy.findings import Finding, Spot, Texts, with_findings, with_others
from reconciler.sources.policy.tables import Limits, Totals, bound_in, matches, path_of, total_limits


class PolicyRules:
    """The rules of one policy.

    Raises:
        SettingsError: a rule names what `catalog` does not know.
    """

    def __init__(self, policy: PolicySettings, catalog: Catalog) -> None:
        wrong = list(_never_apply(policy, catalog))
        if wrong:
            raise SettingsError("settings are wrong:\n" + "\n".join(wrong))
        self._policy = policy
        self._catalog = catalog
        self._alone = [*simple_rules(policy)]
        if policy.limits:
            self._alone.append(Limits(policy))
        if policy.fees:
            self._alone.append(Losses(policy.fees))
        self._totals = total_limits(policy)
        self._kinds: dict[str, StrategyKind] = {}

    @property
    def are_set(self) -> bool:
        """Whether there is any."""
        return bool(self._alone or self._totals) or self._policy.exclusive_markets != OFF

    def judge(self, files: Files, texts: Texts) -> Files:
        """The files of a tree, those among them that break a rule with a Problem more.

        Raises:
            SourceError: a text that is needed for a place cannot be read; raised by `texts`.
        """
        if not self.are_set:
            return files
        found: list[Finding] = []
        together = (Exclusive(self._policy), Totals(self._totals))
        for spec in (spec for _, checked in files for spec in checked.specs):
            kind = self._kinds.get(spec.strategy_type)
            if kind is None:
                kind = self._kinds[spec.strategy_type] = kind_of(self._catalog, spec.strategy_type)
            markets = kind.venues.of(spec)
            for rule in self._alone:
                found += rule(spec, kind, markets)
            for shared in together:
                shared.add(spec, kind, markets)
        for shared in together:
            found += shared.findings()
        return with_findings(files, found, texts)


def _never_apply(policy: PolicySettings, catalog: Catalog) -> Iterator[str]:
    """What is wrong with settings that could never apply: an exchange, field or unit that nothing has."""
    exchanges = {name for kind in catalog.types for name in catalog.exchanges(kind)}
    named = [(f"policy.limits.{index}.exchange", row.exchange) for index, row in enumerate(policy.limits)]
    totals = enumerate(policy.max_total_amount)
    named += [(f"policy.max_total_amount.{index}.exchange", row.exchange) for index, row in totals]
    named += [(f"policy.fees.{name}", name) for name in policy.fees if name != DEFAULT_FEES]
    for key, name in named:
        if exchanges and "*" not in name and name not in exchanges:
            yield _wrong(key, f"Hummingbot knows no exchange {name}", nearest(name, exchanges))
    for index, row in enumerate(policy.limits):
        name = path_of(row.field)[0]
        units = [fields[name].unit for kind in catalog.types if name in (fields := catalog.fields(kind))]
        if not units:
            near = nearest(name, {field for kind in catalog.types for field in catalog.fields(kind)})
            what = f"no strategy type has a field {name}"
            yield _wrong(f"policy.limits.{index}.field", what, f"config.{near}" if near else "")
        for bound in (row.min, row.max) if units else ():
            if bound and all(bound_in(bound, unit) is None for unit in units):
                yield _wrong(f"policy.limits.{index}", f"{bound} has a unit, which {name} does not take", "")


def _wrong(key: str, what: str, near: str) -> str:
    fix = f"did you mean {near}?" if near else "correct it in the settings"
    return f"{key}: {what}\n    fix: {fix}"


Rule: TypeAlias = Callable[[StrategySpec, StrategyKind, list[Traded]], Iterator[Finding]]
"""A strategy, its type and its markets → what is wrong with it."""

PERPETUAL = "_perpetual"
"""In the names of all connectors of Hummingbot that have leverage, and of no other (its manifest; a test looks)."""


def simple_rules(policy: PolicySettings) -> Iterator[Rule]:
    """Those of the rules of this file that are set."""
    severity = Severity(policy.severity)
    if policy.max_leverage is not None:
        yield _max_leverage(policy.max_leverage, severity)
    if policy.allowed_exchanges:
        yield _allowed_exchanges(policy.allowed_exchanges, severity)
    if policy.allowed_strategy_types:
        yield _allowed_types(policy.allowed_strategy_types, severity)
    if policy.required_labels or policy.require_owner:
        yield _required(policy.required_labels, severity, owner=policy.require_owner)


def _max_leverage(most: Decimal, severity: Severity) -> Rule:
    """A default counts where there is leverage; what is written counts everywhere: exchanges change."""

    def rule(spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> Iterator[Finding]:
        for field in kind.leverages:
            value = number(said(spec.config, kind.fields, field.name))
            is_written = field.name in spec.config
            has_leverage = any(PERPETUAL in traded.market.exchange for traded in markets)
            if value is None or value <= most or not (is_written or has_leverage):
                continue
            what = f"{'' if is_written else 'left out, Hummingbot uses '}{plainly(value)}"
            what = f"{what}: more than policy.max_leverage = {plainly(most)} allows"
            fix = f"write {field.name}: {plainly(most)}, or less"
            yield Finding(Spot(spec, (CONFIG, field.name)), what, fix, severity)

    return rule


def _allowed_exchanges(allowed: tuple[str, ...], severity: Severity) -> Rule:
    def rule(spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> Iterator[Finding]:
        del kind
        own = [(spec.exchange, ("exchange",))]
        for exchange, path in dict(
            [*own, *((each.market.exchange, each.exchange_at) for each in markets)]
        ).items():
            if not _is_allowed(exchange, allowed):
                what = f"{exchange} is not among policy.allowed_exchanges"
                yield Finding(Spot(spec, path), what, f"write one of {listed(allowed)}", severity)

    return rule


def _allowed_types(allowed: tuple[str, ...], severity: Severity) -> Rule:
    def rule(spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> Iterator[Finding]:
        del markets
        if not _is_allowed(kind.name, allowed):
            what = f"{kind.name} is not among policy.allowed_strategy_types"
            yield Finding(Spot(spec, ("strategy_type",)), what, f"write one of {listed(allowed)}", severity)

    return rule


def _is_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    return name in allowed or any(matches(pattern, name) for pattern in allowed)


def _required(labels: tuple[str, ...], severity: Severity, *, owner: bool) -> Rule:
    def rule(spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> Iterator[Finding]:
        del kind, markets
        for label in labels:
            if not spec.labels.get(label, "").strip():
                what = "is missing or empty, but one of policy.required_labels"
                fix = f"add `{label}: …` below labels"
                yield Finding(Spot(spec, ("labels", label)), what, fix, severity)
        if owner and not spec.owner.strip():
            what = "is missing or empty, but policy.require_owner asks for one"
            yield Finding(Spot(spec, ("owner",)), what, "add owner: and who answers for it", severity)

    return rule


class Account(NamedTuple):
    """One profile of credentials: names are the agent's, so that each target has its own."""

    target: str
    name: str


class Exclusive:
    """`policy.exclusive_markets`: one strategy for each account and market. Made for one look at the fleet."""

    def __init__(self, policy: PolicySettings) -> None:
        self._mode = policy.exclusive_markets
        self._traders: dict[tuple[Account, Market], list[Spot]] = {}

    def add(self, spec: StrategySpec, kind: StrategyKind, markets: list[Traded]) -> None:
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
            for spot, others, more in with_others(one_each):
                yield Finding(spot, what, fix, Severity(self._mode), others, more)
