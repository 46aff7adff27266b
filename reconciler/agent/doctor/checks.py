"""The table of checks: how each gathers its facts, and who judges them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from reconciler.agent.doctor import probes, verdicts
from reconciler.agent.doctor.probes import Subject
from reconciler.agent.doctor.verdicts import CheckResult, Judged
from reconciler.errors import SettingsError


class _Check(NamedTuple):
    """`judge` takes what `look` gives."""

    look: Callable[[Subject], Awaitable[Any]]
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
"""In the order in which a person would mend them."""


async def examine(subject: Subject, only: frozenset[str] = frozenset()) -> tuple[CheckResult, ...]:
    """Make all checks, or `only` those named; what two of them need is gathered once.

    Raises:
        SettingsError: there is no check of such a name.
    """
    if unknown := sorted(only - CHECKS.keys()):
        raise SettingsError(f"there is no check {unknown[0]!r}", fix=f"write some of {', '.join(CHECKS)}")
    checks = {name: check for name, check in CHECKS.items() if not only or name in only}
    looks = tuple(dict.fromkeys(check.look for check in checks.values()))
    facts = dict(zip(looks, await asyncio.gather(*(look(subject) for look in looks)), strict=True))
    return tuple(CheckResult(name, *check.judge(facts[check.look])) for name, check in checks.items())
