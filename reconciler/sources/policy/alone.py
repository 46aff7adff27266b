"""Rules that need to see one strategy: leverage, what is allowed, what is required. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

from reconciler.catalog.units import plainly
from reconciler.catalog.violations import listed
from reconciler.errors import Severity
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import PolicySettings
from reconciler.sources.policy.findings import Finding, Spot
from reconciler.sources.policy.kinds import Kind
from reconciler.sources.policy.markets import Traded
from reconciler.sources.policy.rows import matches
from reconciler.sources.policy.values import CONFIG, number, said

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
