"""Each fact gets its verdict, and each verdict that is not ok comes with a fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from reconciler.agent.doctor import verdicts
from reconciler.agent.doctor.checks import CHECKS
from reconciler.agent.doctor.facts import (
    Accounts,
    Broker,
    Clock,
    ControllersFolder,
    Disk,
    Environment,
    Memory,
    Port,
    Profile,
    State,
)
from reconciler.agent.doctor.verdicts import CheckVerdict
from reconciler.agent.install.installer import NEEDED_BYTES

OK, WARNING, MISSING = CheckVerdict.OK, CheckVerdict.WARNING, CheckVerdict.MISSING
MB, GB = 10**6, 10**9

PYTHON = "/venv/bin/python"
ENVIRONMENT = Environment(
    expected="/venv",
    wanted="20260922",
    known=("20260922",),
    python=PYTHON,
    python_version="3.11.7",
    hummingbot="20260922",
)
DISK = Disk(
    place="/state", free=100 * GB, total=200 * GB, installed=True, installation=NEEDED_BYTES, least=500 * MB
)
STATE = State(folder="/state", writable=True, mode=0o700, strategies=3)
BROKER = Broker(address="mqtt://host:1883", username="agent", round_trip_s=0.002)
CLOCK = Clock(kept=True, year=2026)

Judge = Callable[[Any], tuple[CheckVerdict, str, str]]


def but(fact: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(fact, **fields)


def keyed(name: str = "default", **fields: Any) -> Accounts:
    return Accounts(profiles=(Profile(name=name, **fields),), password=True)


TABLE: list[tuple[Judge, Any, CheckVerdict, str]] = [
    (verdicts.interpreter, ENVIRONMENT, OK, "Python 3.11.7"),
    (verdicts.interpreter, but(ENVIRONMENT, python=None), MISSING, "no environment at /venv"),
    (
        verdicts.interpreter,
        but(ENVIRONMENT, python_version="", error="took too long"),
        MISSING,
        "took too long",
    ),
    (
        verdicts.interpreter,
        but(ENVIRONMENT, python_version="3.10.11"),
        MISSING,
        "older than 3.10.12",
    ),
    (verdicts.interpreter, but(ENVIRONMENT, python_version="3.10.12"), OK, "3.10.12"),
    (verdicts.interpreter, but(ENVIRONMENT, python_version="3.13.0rc1"), OK, "3.13.0rc1"),
    (verdicts.interpreter, but(ENVIRONMENT, error="no libta"), MISSING, "no libta"),
    (verdicts.interpreter, but(ENVIRONMENT, changed=True), WARNING, "packages were changed"),
    (verdicts.package, ENVIRONMENT, OK, "hummingbot 20260922"),
    (verdicts.package, but(ENVIRONMENT, python=None), MISSING, "no interpreter"),
    (verdicts.package, but(ENVIRONMENT, python_version="", error="dead"), MISSING, "no interpreter"),
    (verdicts.package, but(ENVIRONMENT, hummingbot=None), MISSING, "has no hummingbot"),
    (verdicts.package, but(ENVIRONMENT, wanted="20270101"), MISSING, "but hummingbot_version is 20270101"),
    (verdicts.package, but(ENVIRONMENT, known=("20250101",)), MISSING, "known: 20250101"),
    (verdicts.disk, DISK, OK, "100.0 GB of 200.0 GB free"),
    (verdicts.disk, but(DISK, free=499 * MB), MISSING, "0.5 GB needed"),
    (verdicts.disk, but(DISK, free=500 * MB), WARNING, "less than 2.0 GB"),
    (verdicts.disk, but(DISK, free=2 * GB), OK, "2.0 GB"),
    (verdicts.disk, but(DISK, free=NEEDED_BYTES, installed=False), MISSING, "3.0 GB needed"),
    (verdicts.disk, but(DISK, free=NEEDED_BYTES + 500 * MB, installed=False), OK, "free"),
    (verdicts.memory, Memory(available=24 * GB), OK, "about 96 more bots"),
    (verdicts.memory, Memory(available=249 * MB), MISSING, "about 0 more bots"),
    (verdicts.memory, Memory(available=GB, wanted=4), OK, "about 4 more bots"),
    (verdicts.memory, Memory(available=GB, wanted=5), WARNING, "5 strategies are to run"),
    (verdicts.port, Port(address="mqtt://host:1883"), OK, "is open"),
    (verdicts.port, Port(address="embedded:", embedded=True), MISSING, "no address"),
    (verdicts.port, Port(address="mqtt://host:1883", error="refused"), MISSING, "host:1883: refused"),
    (verdicts.broker, BROKER, OK, "as agent, answers in 2 ms"),
    (verdicts.broker, but(BROKER, username=None), OK, "without a name"),
    (verdicts.broker, but(BROKER, error="Not authorized"), MISSING, "Not authorized"),
    (verdicts.broker, but(BROKER, others=("tokyo", "paris")), WARNING, "tokyo, paris"),
    (
        verdicts.accounts,
        keyed(connectors=("binance",)),
        OK,
        "default: keys for binance; keystore password held",
    ),
    (verdicts.accounts, keyed(), WARNING, "default: no keys"),
    (verdicts.accounts, Accounts(), WARNING, "no account is held; keystore password none"),
    (verdicts.accounts, Accounts(error="mode 0644", fix="chmod"), MISSING, "mode 0644"),
    (
        verdicts.accounts,
        keyed(lacking=("kucoin",), used_by=("mm",)),
        MISSING,
        "none for kucoin, needed by mm",
    ),
    (verdicts.controllers, ControllersFolder(), OK, "only v2 strategies need one"),
    (verdicts.controllers, ControllersFolder(needed_by=("grid",)), MISSING, "grid need one"),
    (
        verdicts.controllers,
        ControllersFolder(folder="/c", error="there is no such folder"),
        MISSING,
        "no such",
    ),
    (verdicts.controllers, ControllersFolder(folder="/c"), MISSING, "no Python file"),
    (
        verdicts.controllers,
        ControllersFolder(folder="/c", files=9, needed_by=("grid",)),
        OK,
        "9 Python files",
    ),
    (verdicts.state, STATE, OK, "/state, 3 strategies"),
    (verdicts.state, but(STATE, mode=None), OK, "will be made"),
    (verdicts.state, but(STATE, writable=False), MISSING, "cannot be written"),
    (verdicts.state, but(STATE, error="layout 9"), MISSING, "layout 9"),
    (verdicts.state, but(STATE, holder="42"), WARNING, "process 42"),
    (verdicts.state, but(STATE, mode=0o777), WARNING, "mode 0777"),
    (verdicts.state, but(STATE, mode=0o755), OK, "3 strategies"),
    (verdicts.clock, CLOCK, OK, "synchronised by NTP, according to the kernel; compared with no other clock"),
    (verdicts.clock, but(CLOCK, kept=False), WARNING, "not synchronised"),
    (verdicts.clock, but(CLOCK, kept=None), WARNING, "the kernel does not report whether it is synchronised"),
    (verdicts.clock, but(CLOCK, year=1970), MISSING, "the clock says 1970"),
    (verdicts.clock, but(CLOCK, kept=False, source="ex", offset_s=0.9), OK, "as ex has it, within 1 s"),
    (verdicts.clock, but(CLOCK, source="ex", offset_s=1.1), WARNING, "1 s ahead of ex"),
    (verdicts.clock, but(CLOCK, source="ex", offset_s=-5.0), WARNING, "5 s behind ex"),
    (verdicts.clock, but(CLOCK, source="ex", offset_s=-61.0), MISSING, "61 s behind ex"),
    (verdicts.clock, but(CLOCK, source="ex", error="refused"), WARNING, "ex did not answer: refused"),
]


@pytest.mark.parametrize(("judge", "fact", "verdict", "said"), TABLE)
def test_a_fact_gets_its_verdict(judge: Judge, fact: Any, verdict: CheckVerdict, said: str) -> None:
    found, seen, fix = judge(fact)

    assert found is verdict, seen
    assert said in seen
    assert bool(fix) is (verdict is not OK)


def test_every_check_is_judged_in_the_table() -> None:
    assert {check.judge for check in CHECKS.values()} == {judge for judge, *_ in TABLE}


def test_an_interpreter_that_somebody_named_is_not_made_again() -> None:
    fix = verdicts.interpreter(but(ENVIRONMENT, chosen=True, error="broken"))[2]

    assert "--force" not in fix
    assert "--hummingbot-python" in fix


def test_the_variable_that_would_hold_a_missing_key_is_spelt_as_the_agent_reads_it() -> None:
    fix = verdicts.accounts(keyed("desk-1", lacking=("gate_io",), used_by=("mm",)))[2]

    assert "AGENT_ACCOUNT__DESK_1__GATE_IO__API_KEY" in fix


def test_the_brokers_own_advice_comes_first() -> None:
    assert verdicts.broker(but(BROKER, error="Not authorized", fix="correct broker.password"))[2] == (
        "correct broker.password"
    )
