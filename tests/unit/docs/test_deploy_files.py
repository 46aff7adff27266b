"""What examples/deploy would run exists, is accepted by our commands, and is locked up as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.agent.hummingbot.credentials import Credentials
from reconciler.settings.loading import load_settings
from tests.support.command_lines import accepted
from tests.support.deploy_files import (
    DEPLOY,
    DOCKERFILES,
    ROOT,
    UNITS,
    as_list,
    command_lines,
    compose,
    unit,
    values,
)

SECRETS = {"mosquitto_passwords", "reconciler_mqtt_password", "agent_mqtt_password", "accounts"}
LONG_RUNNING = ("reconciler.service", "reconciler-agent.service")


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for /etc/reconciler."""
    for name in ("reconciler.yaml", "agent.yaml"):
        (tmp_path / name).write_text((DEPLOY / name).read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", command_lines(), ids=" ".join)
def test_every_command_line_is_one_that_we_take(etc: Path, line: list[str]) -> None:
    python = etc / "python"
    python.touch()
    here = [
        word.replace("/etc/reconciler", str(etc)).replace("/opt/hummingbot/bin/python", str(python))
        for word in line
    ]

    assert accepted(here).command.name in {"run", "agent", "install", "doctor", "status"}


def test_command_lines_are_found_in_each_kind_of_file() -> None:
    lines = [" ".join(words) for words in command_lines()]

    assert sum(line.endswith(" run") for line in lines) == 2
    assert sum("--runner hummingbot" in line for line in lines) == 2
    assert sum(" install" in line for line in lines) == 2
    assert sum(" doctor " in line for line in lines) == 2
    assert sum(" status " in line for line in lines) == 1


# Settings and secrets.


@pytest.mark.parametrize(
    ("file", "service", "name"),
    [("reconciler.yaml", "reconciler", "reconciler"), ("agent.yaml", "agent", "reconciler-agent")],
)
def test_settings_and_variables_of_units_and_containers_are_taken(
    tmp_path: Path, file: str, service: str, name: str
) -> None:
    (tmp_path / "mqtt_password").write_text("s3cr3t\n")
    (tmp_path / f"{service}_mqtt_password").write_text("s3cr3t\n")
    from_unit = dict(line.split("=", 1) for line in unit(f"{name}.service")["Environment"])
    from_compose = compose()["services"][service]["environment"]

    for environ in (from_unit, from_compose):
        here = {
            key: value.replace("$${", "${")
            .replace("%d", str(tmp_path))
            .replace("/run/secrets", str(tmp_path))
            for key, value in environ.items()
        }
        loaded = load_settings(DEPLOY / file, environ=here)
        assert loaded.settings.broker.password == "s3cr3t"
        assert loaded.settings.broker.username == service
        assert loaded.warnings == ()


def test_the_users_of_the_settings_are_those_of_the_access_list() -> None:
    users = set(re.findall(r"^user (\S+)", (DEPLOY / "mosquitto" / "acl").read_text(), re.MULTILINE))
    named = {
        load_settings(DEPLOY / f, environ={}).settings.broker.username
        for f in ("agent.yaml", "reconciler.yaml")
    }

    assert users == named | {"viewer"}
    readme = (DEPLOY / "README.md").read_text()
    assert f"for user in {' '.join(sorted(users - {'viewer'}, reverse=True))} viewer; do" in readme


def test_every_secret_is_a_file_that_the_readme_makes() -> None:
    readme = (DEPLOY / "README.md").read_text()
    declared = compose()["secrets"]
    loaded = {
        source.rpartition("/")[2]
        for file in UNITS
        for line in unit(file.name).get("LoadCredential", [])
        for source in [line.partition(":")[2]]
    }

    assert set(declared) == SECRETS
    assert {Path(one["file"]).name for one in declared.values()} == SECRETS
    assert loaded <= SECRETS
    assert all(name in readme or name.endswith("_mqtt_password") for name in SECRETS)


def test_the_form_of_the_accounts_file_is_the_agents() -> None:
    held = msgspec.yaml.decode((DEPLOY / "accounts.example.yaml").read_bytes(), type=Credentials)

    assert set(held.accounts) == {"default", "desk-1"}
    assert held.keystore_password


def test_no_secret_lies_where_a_wheel_or_an_image_would_take_it_along() -> None:
    assert [file for file in DEPLOY.rglob("*") if file.name in SECRETS] == []
    assert all(one["file"].startswith("${SECRETS:-/etc/") for one in compose()["secrets"].values())


# Units.


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_units_come_back_after_a_failure_and_get_nothing_that_they_do_not_need(name: str) -> None:
    wanted = {
        "Restart": "on-failure",
        "StartLimitIntervalSec": "0",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateDevices": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
    }
    directives = unit(name)

    assert {key: directives[key] for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert "TimeoutStopSec" in directives


def test_bots_survive_their_agent_and_not_a_tmp_that_goes_with_it() -> None:
    agent = unit("reconciler-agent.service")

    assert agent["KillMode"] == ["process"]
    assert agent["OOMPolicy"] == ["continue"]
    assert "DynamicUser" not in agent
    assert "PrivateTmp" not in agent
    assert "MemoryDenyWriteExecute" not in agent
    assert "TMPDIR=/var/lib/reconciler-agent/tmp" in agent["Environment"]


def test_the_reconciler_has_no_user_of_its_own_and_reloads() -> None:
    reconciler = unit("reconciler.service")

    assert reconciler["DynamicUser"] == ["yes"]
    assert reconciler["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_bots_are_ended_after_their_agent() -> None:
    agent, bots = unit("reconciler-agent.service"), unit("reconciler-bots.service")

    assert agent["Requires"] == ["reconciler-bots.service"]
    assert "reconciler-bots.service" in agent["After"][0]
    assert bots["User"] == agent["User"] == ["reconciler-agent"]
    assert all("reconciler-agent python" in line for line in bots["ExecStop"])


def test_a_unit_gives_its_step_time_to_end() -> None:
    step_timeout_s = load_settings(DEPLOY / "reconciler.yaml", environ={}).settings.sync.step_timeout_s

    assert int(unit("reconciler.service")["TimeoutStopSec"][0]) > step_timeout_s


# Containers.


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_runs_as_nobody_special_and_says_how_it_is(file: Path) -> None:
    user = values(file, "USER")[-1]

    assert int(user.partition(":")[0]) > 10_000
    assert f"--uid {user.partition(':')[0]}" in " ".join(values(file, "RUN"))
    assert len(values(file, "HEALTHCHECK")) == 1


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_what_an_image_copies_is_there_and_not_ignored(file: Path) -> None:
    ignore = file.with_name(f"{file.name}.dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    sources = [words for text in values(file, "COPY") if "--from" not in text for words in [text.split()]]
    copied = [word for words in sources for word in words[:-1] if not word.startswith("-")]

    assert "*" in ignore
    assert all((ROOT / name).exists() for name in let_through)
    assert all((ROOT / name).exists() for name in copied)
    assert all(name == "." or name.split("/")[0] in let_through for name in copied)
    assert {"reconciler", "schemas", "examples", "pyproject.toml", "README.md", "LICENSE"} <= let_through


@pytest.mark.parametrize("name", ["broker", "reconciler", "agent"])
def test_a_service_is_locked_up(name: str) -> None:
    service: dict[str, Any] = compose()["services"][name]

    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service
    assert "privileged" not in service


def test_every_file_and_volume_that_a_service_names_is_there() -> None:
    document = compose()
    folder = DEPLOY / "containers"

    for service in document["services"].values():
        if "build" in service:
            context = (folder / service["build"]["context"]).resolve()
            assert context == ROOT
            assert (context / service["build"]["dockerfile"]).is_file()
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert (folder / source).is_file() if source.startswith(".") else source in document["volumes"]
        for secret in service["secrets"]:
            assert (secret if isinstance(secret, str) else secret["source"]) in document["secrets"]


def test_state_lies_in_the_volume_that_the_image_declares() -> None:
    for file in DOCKERFILES:
        service = compose()["services"][file.stem]
        (folder,) = values(file, "VOLUME")
        assert any(volume.endswith(f":{folder}") for volume in service["volumes"])


def test_the_agents_container_has_time_to_end_its_bots() -> None:
    agent = compose()["services"]["agent"]

    assert int(agent["stop_grace_period"].rstrip("s")) >= 60
    assert agent["init"] is True
    entry = as_list(values(DEPLOY / "containers" / "agent.Dockerfile", "ENTRYPOINT")[-1])
    assert entry[0] == "agent-entrypoint.sh"
    assert (DEPLOY / "containers" / entry[0]).stat().st_mode & 0o111


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (DEPLOY / "README.md").read_text())

    assert [link for link in links if not (DEPLOY / link).exists()] == []
