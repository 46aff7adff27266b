"""Each fact gets the verdict that it deserves, and each verdict that is not ok comes with a way to mend it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.agent.doctor import judging
from reconciler.agent.doctor.examine import CHECKS
from reconciler.agent.doctor.facts import (
    Accounts,
    Broker,
    Clock,
    Controllers,
    Disk,
    Environment,
    Memory,
    Port,
    Profile,
    State,
)
from reconciler.agent.doctor.judging import Verdict
from reconciler.agent.install import NEEDED_BYTES
from reconciler.agent.probe import Probe

OK, WARNING, MISSING = Verdict.OK, Verdict.WARNING, Verdict.MISSING
MB, GB = 10**6, 10**9

PYTHON = Path("/venv/bin/python")
HEALTHY = Probe(python="3.11.7", version="20260922")
ENVIRONMENT = Environment(
    expected=Path("/venv"), wanted="20260922", known=("20260922",), python=PYTHON, probe=HEALTHY
)
DISK = Disk(place=Path("/state"), free=100 * GB, total=200 * GB, installed=True, least=500 * MB)
STATE = State(folder=Path("/state"), writable=True, mode=0o700, strategies=3)
BROKER = Broker(address="mqtt://host:1883", username="agent", round_trip_s=0.002)
CLOCK = Clock(kept=True, year=2026)

Judge = Callable[[Any], tuple[Verdict, str, str]]


def but(fact: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(fact, **fields)


def keyed(name: str = "default", **fields: Any) -> Accounts:
    return Accounts(profiles=(Profile(name=name, **fields),), password=True)


TABLE: list[tuple[Judge, Any, Verdict, str]] = [
    (judging.interpreter, ENVIRONMENT, OK, "Python 3.11.7"),
    (judging.interpreter, but(ENVIRONMENT, python=None), MISSING, "no environment at /venv"),
    (judging.interpreter, but(ENVIRONMENT, probe=Probe(error="took too long")), MISSING, "took too long"),
    (
        judging.interpreter,
        but(ENVIRONMENT, probe=but(HEALTHY, python="3.10.11")),
        MISSING,
        "older than 3.10.12",
    ),
    (judging.interpreter, but(ENVIRONMENT, probe=but(HEALTHY, python="3.10.12")), OK, "3.10.12"),
    (judging.interpreter, but(ENVIRONMENT, probe=but(HEALTHY, python="3.13.0rc1")), OK, "3.13.0rc1"),
    (judging.interpreter, but(ENVIRONMENT, probe=but(HEALTHY, error="no libta")), MISSING, "no libta"),
    (judging.interpreter, but(ENVIRONMENT, changed=True), WARNING, "packages were changed"),
    (judging.package, ENVIRONMENT, OK, "hummingbot 20260922"),
    (judging.package, but(ENVIRONMENT, python=None), MISSING, "no interpreter"),
    (judging.package, but(ENVIRONMENT, probe=Probe(error="dead")), MISSING, "no interpreter"),
    (judging.package, but(ENVIRONMENT, probe=but(HEALTHY, version=None)), MISSING, "has no hummingbot"),
    (judging.package, but(ENVIRONMENT, wanted="20270101"), MISSING, "but hummingbot_version is 20270101"),
    (judging.package, but(ENVIRONMENT, known=("20250101",)), MISSING, "known: 20250101"),
    (judging.disk, DISK, OK, "100.0 GB of 200.0 GB free"),
    (judging.disk, but(DISK, free=499 * MB), MISSING, "0.5 GB needed"),
    (judging.disk, but(DISK, free=500 * MB), WARNING, "less than 2.0 GB"),
    (judging.disk, but(DISK, free=2 * GB), OK, "2.0 GB"),
    (judging.disk, but(DISK, free=NEEDED_BYTES, installed=False), MISSING, "3.0 GB needed"),
    (judging.disk, but(DISK, free=NEEDED_BYTES + 500 * MB, installed=False), OK, "free"),
    (judging.memory, Memory(available=24 * GB), OK, "about 96 more bots"),
    (judging.memory, Memory(available=249 * MB), MISSING, "about 0 more bots"),
    (judging.memory, Memory(available=GB, wanted=4), OK, "about 4 more bots"),
    (judging.memory, Memory(available=GB, wanted=5), WARNING, "5 strategies are to run"),
    (judging.port, Port(address="mqtt://host:1883"), OK, "is open"),
    (judging.port, Port(address="embedded:", embedded=True), MISSING, "no address"),
    (judging.port, Port(address="mqtt://host:1883", error="refused"), MISSING, "host:1883: refused"),
    (judging.broker, BROKER, OK, "as agent, answers in 2 ms"),
    (judging.broker, but(BROKER, username=None), OK, "without a name"),
    (judging.broker, but(BROKER, error="Not authorized"), MISSING, "Not authorized"),
    (judging.broker, but(BROKER, others=("tokyo", "paris")), WARNING, "tokyo, paris"),
    (
        judging.accounts,
        keyed(connectors=("binance",)),
        OK,
        "default: keys for binance; keystore password held",
    ),
    (judging.accounts, keyed(), WARNING, "default: no keys"),
    (judging.accounts, Accounts(), WARNING, "no account is held; keystore password none"),
    (judging.accounts, Accounts(error="mode 0644", fix="chmod"), MISSING, "mode 0644"),
    (judging.accounts, keyed(lacking=("kucoin",), used_by=("mm",)), MISSING, "none for kucoin, needed by mm"),
    (judging.controllers, Controllers(), OK, "only v2 strategies need one"),
    (judging.controllers, Controllers(needed_by=("grid",)), MISSING, "grid need one"),
    (
        judging.controllers,
        Controllers(folder=Path("/c"), error="there is no such folder"),
        MISSING,
        "no such",
    ),
    (judging.controllers, Controllers(folder=Path("/c")), MISSING, "no Python file"),
    (judging.controllers, Controllers(folder=Path("/c"), files=9, needed_by=("grid",)), OK, "9 Python files"),
    (judging.state, STATE, OK, "/state, 3 strategies"),
    (judging.state, but(STATE, mode=None), OK, "will be made"),
    (judging.state, but(STATE, writable=False), MISSING, "cannot be written"),
    (judging.state, but(STATE, error="layout 9"), MISSING, "layout 9"),
    (judging.state, but(STATE, holder="42"), WARNING, "process 42"),
    (judging.state, but(STATE, mode=0o777), WARNING, "mode 0777"),
    (judging.state, but(STATE, mode=0o755), OK, "3 strategies"),
    (judging.clock, CLOCK, OK, "kept by NTP, says the kernel; compared with no other clock"),
    (judging.clock, but(CLOCK, kept=False), WARNING, "kept by nothing"),
    (judging.clock, but(CLOCK, kept=None), WARNING, "the kernel does not say"),
    (judging.clock, but(CLOCK, year=1970), MISSING, "the clock says 1970"),
    (judging.clock, but(CLOCK, kept=False, source="ex", offset_s=0.9), OK, "as ex has it, within 1 s"),
    (judging.clock, but(CLOCK, source="ex", offset_s=1.1), WARNING, "1 s ahead of ex"),
    (judging.clock, but(CLOCK, source="ex", offset_s=-5.0), WARNING, "5 s behind ex"),
    (judging.clock, but(CLOCK, source="ex", offset_s=-61.0), MISSING, "61 s behind ex"),
    (judging.clock, but(CLOCK, source="ex", error="refused"), WARNING, "ex did not answer: refused"),
]


@pytest.mark.parametrize(("judge", "fact", "verdict", "said"), TABLE)
def test_a_fact_gets_its_verdict(judge: Judge, fact: Any, verdict: Verdict, said: str) -> None:
    found, seen, fix = judge(fact)

    assert found is verdict, seen
    assert said in seen
    assert bool(fix) is (verdict is not OK)


def test_every_check_is_judged_in_the_table() -> None:
    assert {check.judge for check in CHECKS.values()} == {judge for judge, *_ in TABLE}


def test_an_interpreter_that_somebody_named_is_not_made_anew() -> None:
    fix = judging.interpreter(but(ENVIRONMENT, chosen=True, probe=but(HEALTHY, error="broken")))[2]

    assert "--force" not in fix
    assert "--hummingbot-python" in fix


def test_the_variable_that_would_hold_a_missing_key_is_spelt_as_the_agent_reads_it() -> None:
    fix = judging.accounts(keyed("desk-1", lacking=("gate_io",), used_by=("mm",)))[2]

    assert "AGENT_ACCOUNT__DESK_1__GATE_IO__API_KEY" in fix


def test_the_brokers_own_advice_comes_first() -> None:
    assert judging.broker(but(BROKER, error="Not authorized", fix="mend broker.password"))[2] == (
        "mend broker.password"
    )
