"""The table of checks: for each, the probe that gathers its fact and the verdict that judges it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from reconciler.agent.doctor import probes, verdicts
from reconciler.agent.doctor.probes import Subject
from reconciler.agent.doctor.verdicts import CheckResult, Judged
from reconciler.errors import SettingsError


class _Check(NamedTuple):
    """`judge` takes what `probe` gives."""

    probe: Callable[[Subject], Awaitable[Any]]
    judge: Callable[[Any], Judged]


CHECKS: dict[str, _Check] = {
    "interpreter": _Check(probes.environment, verdicts.interpreter),
    "package": _Check(probes.environment, verdicts.package),
    "controllers": _Check(probes.controllers, verdicts.controllers),
    "credentials": _Check(probes.accounts, verdicts.accounts),
    "state": _Check(probes.state, verdicts.state),
    "port": _Check(probes.port, verdicts.port),
    "broker": _Check(probes.broker, verdicts.broker),
    "disk": _Check(probes.disk, verdicts.disk),
    "memory": _Check(probes.memory, verdicts.memory),
    "clock": _Check(probes.clock, verdicts.clock),
}
"""In the order in which a person would repair them."""


async def examine(subject: Subject, only: frozenset[str] = frozenset()) -> tuple[CheckResult, ...]:
    """Make all checks, or `only` those named; a fact that two of them judge is gathered once.

    Raises:
        SettingsError: there is no check of such a name.
    """
    if unknown := sorted(only - CHECKS.keys()):
        raise SettingsError(f"there is no check {unknown[0]!r}", fix=f"write some of {', '.join(CHECKS)}")
    checks = {name: check for name, check in CHECKS.items() if not only or name in only}
    probing = tuple(dict.fromkeys(check.probe for check in checks.values()))
    facts = dict(zip(probing, await asyncio.gather(*(probe(subject) for probe in probing)), strict=True))
    return tuple(CheckResult(name, *check.judge(facts[check.probe])) for name, check in checks.items())
