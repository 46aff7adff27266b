"""The table of checks: how each gathers its facts, and who judges them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from reconciler.agent.doctor import holdings, judging, machine, wire
from reconciler.agent.doctor.judging import Finding, Judged
from reconciler.agent.doctor.subject import Subject
from reconciler.errors import SettingsError


class _Check(NamedTuple):
    """`judge` takes what `look` gives."""

    look: Callable[[Subject], Awaitable[Any]]
    judge: Callable[[Any], Judged]


CHECKS: dict[str, _Check] = {
    "interpreter": _Check(machine.environment, judging.interpreter),
    "package": _Check(machine.environment, judging.package),
    "controllers": _Check(holdings.controllers, judging.controllers),
    "credentials": _Check(holdings.accounts, judging.accounts),
    "state": _Check(holdings.state, judging.state),
    "port": _Check(wire.port, judging.port),
    "broker": _Check(wire.broker, judging.broker),
    "disk": _Check(machine.disk, judging.disk),
    "memory": _Check(machine.memory, judging.memory),
    "clock": _Check(machine.clock, judging.clock),
}
"""In the order in which a person would mend them."""


async def examine(subject: Subject, only: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """Make all checks, or `only` those named; what two of them need is gathered once.

    Raises:
        SettingsError: there is no check of such a name.
    """
    if unknown := sorted(only - CHECKS.keys()):
        raise SettingsError(f"there is no check {unknown[0]!r}", fix=f"write some of {', '.join(CHECKS)}")
    checks = {name: check for name, check in CHECKS.items() if not only or name in only}
    looks = tuple(dict.fromkeys(check.look for check in checks.values()))
    facts = dict(zip(looks, await asyncio.gather(*(look(subject) for look in looks)), strict=True))
    return tuple(Finding(name, *check.judge(facts[check.look])) for name, check in checks.items())
