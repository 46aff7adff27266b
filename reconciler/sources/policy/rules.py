"""
`policy` × catalog → the rules in force, and what they find in a fleet. Pure.

Rule 1: a rule that nobody set finds nothing and costs nothing.
Rule 2: one pass over all strategies; what they share is kept by market.
Rule 3: settings that could never apply (a field or an exchange that nobody knows) are refused: a guard with a
typo in it guards nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

from reconciler.catalog import Catalog
from reconciler.catalog.units import plainly
from reconciler.catalog.violations import listed, nearest
from reconciler.errors import SettingsError, Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import DEFAULT_FEES, OFF, PolicySettings
from reconciler.sources.base import Files
from reconciler.sources.policy.exposure import CONFIG, Kind, Traded, kind_of, number, said
from reconciler.sources.policy.fees import Losses
from reconciler.sources.policy.findings import Finding, Spot, Texts, with_findings
from reconciler.sources.policy.fleet import Exclusive, Totals, total_limits
from reconciler.sources.policy.tables import Limits, bound_in, matches, path_of


class PolicyRules:
    """The rules of one policy.

    Raises:
        SettingsError: a rule names what `catalog` does not know.
    """

    def __init__(self, policy: PolicySettings, catalog: Catalog) -> None:
        wrong = list(_unknown(policy, catalog))
        if wrong:
            raise SettingsError("settings are wrong:\n" + "\n".join(wrong))
        self._policy = policy
        self._catalog = catalog
        self._alone = tuple(_alone(policy))
        self._totals = total_limits(policy)
        self._kinds: dict[str, Kind] = {}

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
        return with_findings(files, self._find(spec for _, checked in files for spec in checked.specs), texts)

    def _find(self, specs: Iterable[StrategySpec]) -> list[Finding]:
        """What the strategies of a whole fleet do that they should not."""
        found: list[Finding] = []
        together = (Exclusive(self._policy), Totals(self._totals))
        for spec in specs:
            kind = self._kind(spec.strategy_type)
            markets = kind.venues.of(spec)
            for rule in self._alone:
                found += rule(spec, kind, markets)
            for shared in together:
                shared.add(spec, kind, markets)
        return [*found, *(finding for shared in together for finding in shared.findings())]

    def _kind(self, strategy_type: str) -> Kind:
        kind = self._kinds.get(strategy_type)
        if kind is None:
            kind = self._kinds[strategy_type] = kind_of(self._catalog, strategy_type)
        return kind


def _alone(policy: PolicySettings) -> Iterator[Rule]:
    yield from simple_rules(policy)
    if policy.limits:
        yield Limits(policy)
    if policy.fees:
        yield Losses(policy.fees)


# -- settings that could never apply


def _unknown(policy: PolicySettings, catalog: Catalog) -> Iterator[str]:
    exchanges = {name for kind in catalog.types for name in catalog.exchanges(kind)}
    named = [(f"policy.limits.{index}.exchange", row.exchange) for index, row in enumerate(policy.limits)]
    named += [
        (f"policy.max_total_amount.{index}.exchange", row.exchange)
        for index, row in enumerate(policy.max_total_amount)
    ]
    named += [(f"policy.fees.{name}", name) for name in policy.fees if name != DEFAULT_FEES]
    for key, name in named:
        if exchanges and "*" not in name and name not in exchanges:
            yield _told(key, f"Hummingbot knows no exchange {name}", nearest(name, exchanges))
    yield from _unknown_fields(policy, catalog)


def _unknown_fields(policy: PolicySettings, catalog: Catalog) -> Iterator[str]:
    for index, row in enumerate(policy.limits):
        name = path_of(row.field)[0]
        units = [fields[name].unit for kind in catalog.types if name in (fields := catalog.fields(kind))]
        if not units:
            known = {field for kind in catalog.types for field in catalog.fields(kind)}
            near = nearest(name, known)
            what = f"no strategy type has a field {name}"
            yield _told(f"policy.limits.{index}.field", what, f"config.{near}" if near else "")
        for bound in (row.min, row.max) if units else ():
            if bound and all(bound_in(bound, unit) is None for unit in units):
                what = f"{bound} has a unit, which {name} does not take"
                yield _told(f"policy.limits.{index}", what, "")


def _told(key: str, what: str, near: str) -> str:
    fix = f"did you mean {near}?" if near else "mend it in the settings"
    return f"{key}: {what}\n    fix: {fix}"


Rule: TypeAlias = Callable[[StrategySpec, Kind, list[Traded]], Iterator[Finding]]
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
    if policy.required_labels:
        yield _required_labels(policy.required_labels, severity)
    if policy.require_owner:
        yield _required_owner(severity)


def _max_leverage(most: Decimal, severity: Severity) -> Rule:
    """A default counts where there is leverage; what is written counts everywhere: exchanges change."""

    def rule(spec: StrategySpec, kind: Kind, markets: list[Traded]) -> Iterator[Finding]:
        for field in kind.leverages:
            value = number(said(spec.config, kind.fields, field.name))
            is_written = field.name in spec.config
            if value is None or value <= most or not (is_written or _has_leverage(markets)):
                continue
            what = f"{'' if is_written else 'left out, Hummingbot uses '}{plainly(value)}"
            what = f"{what}: more than policy.max_leverage = {plainly(most)} allows"
            fix = f"write {field.name}: {plainly(most)}, or less"
            yield Finding(Spot(spec, (CONFIG, field.name)), what, fix, severity)

    return rule


def _has_leverage(markets: Iterable[Traded]) -> bool:
    return any(PERPETUAL in traded.market.exchange for traded in markets)


def _allowed_exchanges(allowed: tuple[str, ...], severity: Severity) -> Rule:
    def rule(spec: StrategySpec, kind: Kind, markets: list[Traded]) -> Iterator[Finding]:
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
    def rule(spec: StrategySpec, kind: Kind, markets: list[Traded]) -> Iterator[Finding]:
        del markets
        if not _is_allowed(kind.name, allowed):
            what = f"{kind.name} is not among policy.allowed_strategy_types"
            yield Finding(Spot(spec, ("strategy_type",)), what, f"write one of {listed(allowed)}", severity)

    return rule


def _is_allowed(name: str, allowed: tuple[str, ...]) -> bool:
    return name in allowed or any(matches(pattern, name) for pattern in allowed)


def _required_labels(labels: tuple[str, ...], severity: Severity) -> Rule:
    def rule(spec: StrategySpec, kind: Kind, markets: list[Traded]) -> Iterator[Finding]:
        del kind, markets
        for label in labels:
            if not spec.labels.get(label, "").strip():
                what = "is missing or empty, but one of policy.required_labels"
                fix = f"add `{label}: …` below labels"
                yield Finding(Spot(spec, ("labels", label)), what, fix, severity)

    return rule


def _required_owner(severity: Severity) -> Rule:
    def rule(spec: StrategySpec, kind: Kind, markets: list[Traded]) -> Iterator[Finding]:
        del kind, markets
        if not spec.owner.strip():
            what = "is missing or empty, but policy.require_owner asks for one"
            yield Finding(Spot(spec, ("owner",)), what, "add owner: and who answers for it", severity)

    return rule
