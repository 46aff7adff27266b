"""
`policy` × catalog → the rules in force, and what they find in a fleet. Pure.

Rule 1: a rule that nobody set finds nothing and costs nothing.
Rule 2: one pass over all strategies; what they share is kept by market.
Rule 3: settings that could never apply (a field or an exchange that nobody knows) are refused: a guard with a
typo in it guards nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.catalog import Catalog
from reconciler.catalog.violations import nearest
from reconciler.errors import SettingsError
from reconciler.model.spec import StrategySpec
from reconciler.settings.model import DEFAULT_FEES, OFF, PolicySettings
from reconciler.sources.policy.alone import Rule, simple_rules
from reconciler.sources.policy.fees import Losses
from reconciler.sources.policy.findings import Finding
from reconciler.sources.policy.kinds import Kind, kind_of
from reconciler.sources.policy.limits import Limits, bound_in, path_of
from reconciler.sources.policy.together import Exclusive, Totals, total_limits


class Rules:
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

    def find(self, specs: Iterable[StrategySpec]) -> list[Finding]:
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
