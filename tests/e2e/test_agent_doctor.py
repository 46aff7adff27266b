"""`agent doctor` against a real broker, real interpreters and a real agent: it sees what is missing and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.doctor import Finding, Verdict, examine
from reconciler.agent.doctor.machine import ahead_of, kept_by_ntp
from reconciler.agent.doctor.subject import Subject
from reconciler.agent.hummingbot.options import Options
from reconciler.agent.install import Order, default_folder, install
from reconciler.agent.journal import Entry, Journal
from reconciler.agent.probe import probe
from reconciler.agent.records import Strategy
from reconciler.agent.settings import AgentSettings
from reconciler.settings import BrokerSettings
from tests.brokers import Mosquitto, free_port, scripted_broker
from tests.cli_project import Project
from tests.listening import Ear
from tests.waiting import until
from tests.wheelhouse import Wheelhouse, needs_uv

SECRET = "s3cr3t-of-an-exchange"


def subject(
    folder: Path, broker: BrokerSettings | None = None, *, options: Options | None = None, time_from: str = ""
) -> Subject:
    settings = AgentSettings(
        state_dir=folder / "state",
        broker=broker or BrokerSettings(url=f"mqtt://127.0.0.1:{free_port()}"),
        bots=options or Options(),
    )
    return Subject(settings=settings, time_from=time_from)


async def found(check: str, subject: Subject) -> Finding:
    (finding,) = await examine(subject, frozenset({check}))
    return finding


def remember(folder: Path, *strategies: Strategy) -> None:
    """Write strategies into a state folder, as an agent does."""
    with contextlib.closing(Journal(folder / "state")) as journal:
        journal.write(Entry(strategies={strategy.name: strategy for strategy in strategies}))


def strategy(name: str, kind: str = "pure_market_making", **more: Any) -> Strategy:
    fields = {
        "strategy_id": "1",
        "exchange": "binance",
        "trading_pair": "BTC-USDT",
        "config": {},
        "spec_hash": "",
    }
    return Strategy(**{**fields, "name": name, "strategy_type": kind, **more})


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`installed(module="")`: what is called hummingbot, installed for the agent in this folder; its interpreter."""
    needs_uv()

    def make(module: str = "", *, settle: bool = True) -> Path:
        wheels = Wheelhouse(tmp_path / "wheels")
        wheels.add(module=module if settle else "")
        for name, value in wheels.environment.items():
            monkeypatch.setenv(name, value)
        order = Order(into=default_folder(tmp_path / "state"))
        python = asyncio.run(install(order, lambda _: None)).python
        if not settle:
            (file,) = order.into.glob("lib/python*/site-packages/hummingbot/client/hummingbot_application.py")
            file.unlink()
            file.write_text(module)
        return python

    return make


# The command.


def test_on_a_bare_machine_it_names_what_is_missing_and_makes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, f"mqtt://127.0.0.1:{free_port()}", "hummingbot")

    document = project.json("agent", "doctor")
    verdicts = {row["check"]: row["verdict"] for row in document["checks"]}

    assert document["exit_code"] == 1
    assert {name for name, verdict in verdicts.items() if verdict == "missing"} == {
        "interpreter",
        "package",
        "port",
        "broker",
    }
    assert all(row["fix"] for row in document["checks"] if row["verdict"] != "ok")
    assert not (tmp_path / ".reconciler" / "agent").exists()


def test_with_everything_there_nothing_is_missing(
    tmp_path: Path, mosquitto: Mosquitto, installed: Callable[..., Path]
) -> None:
    python = installed()
    project = Project(tmp_path, mosquitto.url, "hummingbot")
    checks = [
        f"--only={name}" for name in ("interpreter", "package", "state", "port", "broker", "controllers")
    ]

    done = project.run("agent", "--state-dir", str(tmp_path / "state"), "doctor", *checks)

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "nothing is missing"
    assert str(python) in done.stdout
    assert done.stdout.count(" ok ") == len(checks)


def test_secrets_are_counted_and_never_shown(tmp_path: Path) -> None:
    project = Project(tmp_path, "mqtt://127.0.0.1:1", "hummingbot")
    environment = {
        "AGENT_ACCOUNT__DESK_1__BINANCE__API_KEY": SECRET,
        "AGENT_KEYSTORE_PASSWORD": SECRET,
        "RECONCILER_BROKER__USERNAME": "agent",
        "RECONCILER_BROKER__PASSWORD": SECRET,
    }

    for form in ("text", "json"):
        done = project.run("-vv", "agent", "--account", "desk-1", "doctor", "-o", form, **environment)

        assert SECRET not in done.stdout + done.stderr
        assert "desk-1: keys for binance; keystore password held" in done.stdout


# The interpreter.


async def test_an_interpreter_without_hummingbot_is_told_apart_from_none(tmp_path: Path) -> None:
    bare = subject(tmp_path, options=Options(python=Path(sys.executable)))

    findings = {
        finding.check: finding for finding in await examine(bare, frozenset({"interpreter", "package"}))
    }

    assert findings["interpreter"].verdict is Verdict.OK
    assert findings["package"].seen == f"{sys.executable} has no hummingbot"


async def test_an_interpreter_that_is_none_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "python").chmod(0o755)

    for path in (tmp_path / "python", tmp_path / "gone"):
        finding = await found("interpreter", subject(tmp_path, options=Options(python=path)))
        assert finding.verdict is Verdict.MISSING
        assert "does not answer" in finding.seen


def test_an_import_that_fails_is_named(tmp_path: Path, installed: Callable[..., Path]) -> None:
    installed("import libthere_is_none", settle=False)

    finding = asyncio.run(found("interpreter", subject(tmp_path)))

    assert finding.verdict is Verdict.MISSING
    assert "No module named 'libthere_is_none'" in finding.seen
    assert "--force" in finding.fix


def test_an_import_that_hangs_has_an_end(installed: Callable[..., Path]) -> None:
    python = installed("import time; time.sleep(600)", settle=False)

    answer = asyncio.run(probe(python, limit_s=2.0))

    assert "did not end within 2 s" in answer.error


def test_packages_changed_by_hand_are_seen(tmp_path: Path, installed: Callable[..., Path]) -> None:
    installed()
    (info,) = default_folder(tmp_path / "state").glob("lib/python*/site-packages/hummingbot-*")
    shutil.copytree(info, info.with_name("stranger-1.dist-info"))

    finding = asyncio.run(found("interpreter", subject(tmp_path)))

    assert finding.verdict is Verdict.WARNING
    assert "packages were changed" in finding.seen


# The wire.


async def test_a_broker_that_lets_the_agent_work_is_good_and_hears_nothing_that_stays(
    tmp_path: Path, broker_settings: BrokerSettings, transport_to: Callable[..., Any]
) -> None:
    finding = await found("broker", subject(tmp_path, broker_settings))
    transport = transport_to(broker_settings)
    ear = Ear(transport)
    await transport.connect()
    await transport.subscribe(["#"])
    await transport.publish("end", b"")

    assert finding.verdict is Verdict.OK
    assert [message.topic for message in await ear.hear()] == ["end"]


async def test_a_wrong_password_is_told_without_it(
    tmp_path: Path, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    (tmp_path / "passwords").touch(0o600)
    broker = mosquitto_factory(
        f"listener {{port}} 127.0.0.1\nallow_anonymous false\npassword_file {tmp_path / 'passwords'}"
    )
    settings = BrokerSettings(url=broker.url, username="agent", password=SECRET)

    finding = await found("broker", subject(tmp_path, settings))

    assert finding.verdict is Verdict.MISSING
    assert "Not authorized" in finding.seen
    assert "broker.username" in finding.fix
    assert SECRET not in str(finding)


async def test_a_broker_that_lets_no_answers_through_is_told(
    tmp_path: Path, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    (tmp_path / "acl").write_text("topic read hummingbot/strategy/+\ntopic readwrite hummingbot/agent/+\n")
    broker = mosquitto_factory(
        f"listener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path / 'acl'}"
    )

    finding = await found("broker", subject(tmp_path, BrokerSettings(url=broker.url)))

    assert finding.verdict is Verdict.MISSING
    assert "hummingbot/response/doctor-" in finding.seen


async def test_a_broker_that_says_nothing_has_an_end(tmp_path: Path) -> None:
    async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted_broker(say_nothing) as port:
        settings = BrokerSettings(url=f"mqtt://127.0.0.1:{port}", connect_timeout_s=0.5)
        findings = {
            one.check: one
            for one in await examine(subject(tmp_path, settings), frozenset({"port", "broker"}))
        }

    assert findings["port"].verdict is Verdict.OK
    assert findings["broker"].verdict is Verdict.MISSING


async def test_nobody_at_the_brokers_address_is_told(tmp_path: Path) -> None:
    for name in ("port", "broker"):
        assert (await found(name, subject(tmp_path))).verdict is Verdict.MISSING


def test_a_broker_without_an_address_is_not_started_for_a_look(tmp_path: Path) -> None:
    project = Project(tmp_path, "embedded:", "hummingbot")

    document = project.json("agent", "doctor", "--only", "port", "--only", "broker")

    assert [row["verdict"] for row in document["checks"]] == ["missing", "missing"]
    assert not (tmp_path / ".reconciler").exists()


# What the agent holds.


def test_an_agent_at_work_is_seen_and_not_disturbed(tmp_path: Path, mosquitto: Mosquitto) -> None:
    project = Project(tmp_path, mosquitto.url, "hummingbot")
    options = ("agent", "--state-dir", "state", "--name", "tokyo")
    with project.beside(*options, "--heartbeat", "1") as agent:
        asyncio.run(until(lambda: (tmp_path / "state" / "agent.db").exists() and is_online(project, options)))

        document = project.json(*options, "doctor", "--only", "state", "--only", "broker")
        rows = {row["check"]: row for row in document["checks"]}

        assert document["exit_code"] == 0
        assert rows["state"]["verdict"] == rows["broker"]["verdict"] == "warning"
        assert f"process {agent.pid}" in rows["state"]["seen"]
        assert "online under this root: tokyo" in rows["broker"]["seen"]
        assert agent.poll() is None


def is_online(project: Project, options: tuple[str, ...]) -> bool:
    done = project.run(*options, "doctor", "--only", "broker", "-o", "json")
    return "tokyo" in json.loads(done.stdout)["checks"][0]["seen"]


async def test_keys_that_a_strategy_needs_are_missed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_ACCOUNT__DEFAULT__BINANCE__API_KEY", SECRET)
    remember(
        tmp_path,
        strategy("plain"),
        strategy("paper", exchange="kucoin_paper_trade"),
        strategy("two-venues", "cross_exchange_market_making", config={"taker_market": "kraken"}),
    )

    finding = await found("credentials", subject(tmp_path))

    assert finding.verdict is Verdict.MISSING
    assert "none for kraken, needed by two-venues;" in finding.seen
    assert "kucoin" not in finding.seen
    assert SECRET not in str(finding)


async def test_an_accounts_file_that_others_can_read_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(f"accounts: {{default: {{binance: {{api_key: {SECRET}}}}}}}\n")

    file.chmod(0o644)
    open_to_all = await found("credentials", subject(tmp_path, options=Options(accounts_file=file)))
    file.chmod(0o600)
    closed = await found("credentials", subject(tmp_path, options=Options(accounts_file=file)))

    assert open_to_all.verdict is Verdict.MISSING
    assert "chmod 600" in open_to_all.fix
    assert closed.verdict is Verdict.OK
    assert SECRET not in f"{open_to_all}{closed}"


async def test_the_controllers_folder_is_missed_when_a_strategy_needs_it(tmp_path: Path) -> None:
    remember(tmp_path, strategy("plain"), strategy("simple", "pmm_simple"))
    folder = tmp_path / "controllers"

    nowhere = await found("controllers", subject(tmp_path))
    gone = await found("controllers", subject(tmp_path, options=Options(controllers=folder)))
    folder.mkdir()
    empty = await found("controllers", subject(tmp_path, options=Options(controllers=folder)))
    (folder / "pmm_simple.py").touch()
    there = await found("controllers", subject(tmp_path, options=Options(controllers=folder)))

    assert [one.verdict for one in (nowhere, gone, empty, there)] == [Verdict.MISSING] * 3 + [Verdict.OK]
    assert "simple need" in nowhere.seen
    assert "plain" not in nowhere.seen


async def test_a_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "agent.db").write_text("no database")

    finding = await found("state", subject(tmp_path))

    assert finding.verdict is Verdict.MISSING
    assert "agent.db" in finding.seen


async def test_a_folder_that_is_a_file_is_no_state_folder(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    assert (await found("state", subject(tmp_path))).verdict is Verdict.MISSING


# The machine.


@contextlib.contextmanager
def clock_elsewhere(ahead: timedelta | None) -> Iterator[str]:
    """A server whose Date is ahead by so much; None: its answers have none."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            if ahead is not None:
                self.send_header("Date", format_datetime(datetime.now(UTC) + ahead, usegmt=True))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/time"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("hours", "verdict"), [(0, Verdict.OK), (1, Verdict.MISSING), (-1, Verdict.MISSING)])
async def test_the_clock_is_compared_with_the_one_that_was_named(
    tmp_path: Path, hours: int, verdict: Verdict
) -> None:
    with clock_elsewhere(timedelta(hours=hours)) as url:
        finding = await found("clock", subject(tmp_path, time_from=url))

    assert finding.verdict is verdict, finding.seen
    assert "127.0.0.1" in finding.seen


async def test_a_clock_elsewhere_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with clock_elsewhere(None) as url:
        silent = await found("clock", subject(tmp_path, time_from=url))
    gone = await found("clock", subject(tmp_path, time_from=f"http://127.0.0.1:{free_port()}/"))
    wrong = await found("clock", subject(tmp_path, time_from="ftp://127.0.0.1/"))

    assert "its answer has no Date" in silent.seen
    assert "did not answer" in gone.seen
    assert "not an http: or https: address" in wrong.seen
    assert {one.verdict for one in (silent, gone, wrong)} == {Verdict.WARNING}


async def test_a_clock_elsewhere_that_hangs_has_an_end() -> None:
    async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted_broker(say_nothing) as port:
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(ahead_of, f"http://127.0.0.1:{port}/", 0.5)


def test_the_kernel_says_whether_it_keeps_the_clock_or_nothing_at_all() -> None:
    assert kept_by_ntp() in {True, False, None}


async def test_without_a_clock_elsewhere_nobody_is_asked(tmp_path: Path) -> None:
    assert "compared with no other clock" in (await found("clock", subject(tmp_path))).seen


@pytest.mark.parametrize("check", ["disk", "memory"])
async def test_what_the_machine_has_is_told_in_numbers(tmp_path: Path, check: str) -> None:
    assert " GB" in (await found(check, subject(tmp_path))).seen
