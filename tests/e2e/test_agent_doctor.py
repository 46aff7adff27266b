"""`agent doctor` against a real broker, real interpreters and a real agent: it sees what is missing and changes nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.doctor.checks import examine
from reconciler.agent.doctor.verdicts import CheckVerdict
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.install.environment import default_folder, probe
from reconciler.agent.install.installer import InstallRequest, install
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Publish
from tests.support.brokers import Mosquitto, free_port, scripted_broker
from tests.support.cli_project import Project
from tests.support.conditions import until
from tests.support.doctor_subjects import SECRET, found, subject
from tests.support.transport_recorder import TransportRecorder
from tests.support.wheelhouse import Wheelhouse, needs_uv


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`installed(module="")`: what is called hummingbot, installed for the agent in this folder; its interpreter."""
    needs_uv()

    def make(module: str = "", *, settle: bool = True) -> Path:
        wheels = Wheelhouse(tmp_path / "wheels")
        wheels.add(module=module if settle else "")
        for name, value in wheels.environment.items():
            monkeypatch.setenv(name, value)
        order = InstallRequest(into=default_folder(tmp_path / "state"))
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


async def test_an_interpreter_without_hummingbot_is_distinguished_from_none(tmp_path: Path) -> None:
    bare = subject(tmp_path, options=BotOptions(python=Path(sys.executable)))

    findings = {
        finding.check: finding for finding in await examine(bare, frozenset({"interpreter", "package"}))
    }

    assert findings["interpreter"].verdict is CheckVerdict.OK
    assert findings["package"].seen == f"{sys.executable} has no hummingbot"


async def test_an_interpreter_that_is_none_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "python").chmod(0o755)

    for path in (tmp_path / "python", tmp_path / "gone"):
        finding = await found("interpreter", subject(tmp_path, options=BotOptions(python=path)))
        assert finding.verdict is CheckVerdict.MISSING
        assert "does not answer" in finding.seen


def test_an_import_that_fails_is_named(tmp_path: Path, installed: Callable[..., Path]) -> None:
    installed("import libthere_is_none", settle=False)

    finding = asyncio.run(found("interpreter", subject(tmp_path)))

    assert finding.verdict is CheckVerdict.MISSING
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

    assert finding.verdict is CheckVerdict.WARNING
    assert "packages were changed" in finding.seen


# The wire.


async def test_a_broker_that_lets_the_agent_work_is_good_and_receives_nothing_that_stays(
    tmp_path: Path, broker_settings: BrokerSettings, transport_to: Callable[..., Any]
) -> None:
    finding = await found("broker", subject(tmp_path, broker_settings))
    transport = transport_to(broker_settings)
    recorder = TransportRecorder(transport)
    await transport.connect()
    await transport.subscribe(["#"])
    await transport.publish(Publish("end", b""))

    assert finding.verdict is CheckVerdict.OK
    assert [message.topic for message in await recorder.received()] == ["end"]


async def test_a_wrong_password_is_reported_without_it(
    tmp_path: Path, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    (tmp_path / "passwords").touch(0o600)
    broker = mosquitto_factory(
        f"listener {{port}} 127.0.0.1\nallow_anonymous false\npassword_file {tmp_path / 'passwords'}"
    )
    settings = BrokerSettings(url=broker.url, username="agent", password=SECRET)

    finding = await found("broker", subject(tmp_path, settings))

    assert finding.verdict is CheckVerdict.MISSING
    assert "Not authorized" in finding.seen
    assert "broker.username" in finding.fix
    assert SECRET not in str(finding)


async def test_a_broker_that_lets_no_answers_through_is_reported(
    tmp_path: Path, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    (tmp_path / "acl").write_text("topic read hummingbot/strategy/+\ntopic readwrite hummingbot/agent/+\n")
    broker = mosquitto_factory(
        f"listener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path / 'acl'}"
    )

    finding = await found("broker", subject(tmp_path, BrokerSettings(url=broker.url)))

    assert finding.verdict is CheckVerdict.MISSING
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

    assert findings["port"].verdict is CheckVerdict.OK
    assert findings["broker"].verdict is CheckVerdict.MISSING


async def test_nobody_at_the_brokers_address_is_reported(tmp_path: Path) -> None:
    for name in ("port", "broker"):
        assert (await found(name, subject(tmp_path))).verdict is CheckVerdict.MISSING


def test_a_broker_without_an_address_is_not_started_for_a_look(tmp_path: Path) -> None:
    project = Project(tmp_path, "embedded:", "hummingbot")

    document = project.json("agent", "doctor", "--only", "port", "--only", "broker")

    assert [row["verdict"] for row in document["checks"]] == ["missing", "missing"]
    assert not (tmp_path / ".reconciler").exists()


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
