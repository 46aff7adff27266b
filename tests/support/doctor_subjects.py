"""An agent that the doctor is to look at, and one check of it. Nothing listens where its broker should be."""

from __future__ import annotations

from pathlib import Path

from reconciler.agent.doctor.checks import examine
from reconciler.agent.doctor.probes import Subject
from reconciler.agent.doctor.verdicts import CheckResult
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.settings import AgentSettings
from reconciler.settings.model import BrokerSettings
from tests.support.brokers import free_port

SECRET = "s3cr3t-of-an-exchange"


def subject(
    folder: Path,
    broker: BrokerSettings | None = None,
    *,
    options: BotOptions | None = None,
    time_from: str = "",
) -> Subject:
    settings = AgentSettings(
        state_dir=folder / "state",
        broker=broker or BrokerSettings(url=f"mqtt://127.0.0.1:{free_port()}"),
        bots=options or BotOptions(),
    )
    return Subject(settings=settings, time_from=time_from)


async def found(check: str, subject: Subject) -> CheckResult:
    (finding,) = await examine(subject, frozenset({check}))
    return finding
