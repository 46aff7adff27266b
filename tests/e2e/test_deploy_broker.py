"""The broker of examples/deploy: agent and reconciler can do their work, and nobody else can touch a bot."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import BrokerError, BrokerRefused
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Publish, Transport
from tests.support.brokers import Mosquitto
from tests.support.cli_project import Project
from tests.support.transport_recorder import TransportRecorder

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
USERS = ("reconciler", "agent", "viewer")

To = Callable[..., Transport]


Serve = Callable[[Path], Mosquitto]


@pytest.fixture
def serve(mosquitto_factory: Callable[..., Mosquitto], tmp_path: Path) -> Serve:
    """`serve(passwords)`: a real Mosquitto with the shipped configuration; only places differ."""

    def start(passwords: Path) -> Mosquitto:
        moved = {
            "listener 1883": "listener {port} 127.0.0.1",
            "/etc/mosquitto/passwords": str(passwords),
            "/etc/mosquitto/acl": str(DEPLOY / "mosquitto" / "acl"),
            "/var/lib/mosquitto/": f"{tmp_path}/",
        }
        config = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
        for shipped, here in moved.items():
            assert config.count(shipped) == 1
            config = config.replace(shipped, here)
        return mosquitto_factory(config)

    return start


@pytest.fixture
def broker(serve: Serve, tmp_path: Path) -> Mosquitto:
    """Its users' passwords are `of-USER`."""
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    for user in USERS:
        command = ["mosquitto_passwd", "-b", str(passwords), user, f"of-{user}"]
        subprocess.run(command, check=True, capture_output=True)
    return serve(passwords)


@pytest.fixture
def project(broker: Mosquitto, tmp_path: Path) -> Project:
    """A repository whose reconciler.yaml and agent.yaml are the two users."""
    project = Project(tmp_path, broker.url, "hummingbot")
    for file, user in (("reconciler.yaml", "reconciler"), ("agent.yaml", "agent"), ("viewer.yaml", "viewer")):
        (tmp_path / f"{user}.password").write_text(f"of-{user}\n")
        text = f"broker: {{url: '{broker.url}', username: {user}, password: '${{file:{user}.password}}'}}\n"
        (tmp_path / file).write_text(text)
    return project


def settings(broker: Mosquitto, user: str) -> BrokerSettings:
    return BrokerSettings(url=broker.url, username=user, password=f"of-{user}")


AGENT = ("--config", "agent.yaml", "agent", "--start-delay", "0", "--heartbeat", "1")


async def test_a_commit_reaches_a_bot_and_the_viewer_sees_it_happen(
    project: Project, broker: Mosquitto, transport_to: To
) -> None:
    viewer = transport_to(settings(broker, "viewer"))
    recorder = TransportRecorder(viewer)
    await viewer.connect()
    await viewer.subscribe(["#"])
    project.write("mm")
    project.commit()

    with project.beside(*AGENT):
        project.until(2, "plan")
        applied = project.run("apply", "--yes")
        project.write("mm", spread="0.2%")
        project.commit()
        again = project.run("apply", "--yes")
        after = project.run("status", "--quick")

    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert again.returncode == 0, again.stdout + again.stderr
    assert after.returncode == 0, after.stdout + after.stderr
    await until_end(recorder, transport_to(settings(broker, "agent"), "end"))
    heard = {message.topic.split("/")[1] for message in recorder.messages}
    assert "status" in heard
    assert heard <= {"status", "agent", "inventory", "performance", "logs", "notifications"}


async def until_end(recorder: TransportRecorder, voice: Transport) -> None:
    """Wait until all that was said before has been heard."""
    await voice.connect()
    await voice.publish(Publish("hummingbot/logs", b"end"))
    await recorder.until(lambda: b"end" in recorder.payloads)


def test_the_doctor_finds_the_agents_rights_enough_and_the_viewers_not(project: Project) -> None:
    agent = project.run("--config", "agent.yaml", "agent", "doctor", "--only", "broker")
    viewer = project.run("--config", "viewer.yaml", "agent", "doctor", "--only", "broker")

    assert agent.returncode == 0, agent.stdout
    assert viewer.returncode == 1, viewer.stdout


ALLOWED = [
    ("reconciler", "hummingbot/strategy/create"),
    ("reconciler", "hummingbot/notifications/telegram"),
    ("agent", "hummingbot/status"),
    ("agent", "hummingbot/status/mm"),
    ("agent", "hummingbot/response/ctl-1"),
    ("agent", "hummingbot/response"),
    ("agent", "hummingbot/agent/tokyo"),
    ("agent", "hummingbot/inventory/tokyo"),
    ("agent", "hummingbot/performance"),
    ("agent", "hummingbot/logs"),
    ("agent", "hbot/mm/stop"),
]

FORBIDDEN = [
    *(("viewer", f"hummingbot/strategy/{op}") for op in ("create", "update", "start", "stop", "delete")),
    ("viewer", "hummingbot/status/mm"),
    ("viewer", "hummingbot/agent/tokyo"),
    ("viewer", "hummingbot/inventory/tokyo"),
    ("viewer", "hummingbot/response/ctl-1"),
    ("viewer", "hummingbot/notifications/telegram"),
    ("viewer", "hbot/mm/stop"),
    ("agent", "hummingbot/strategy/create"),
    ("agent", "hummingbot/notifications/telegram"),
    ("reconciler", "hummingbot/status/mm"),
    ("reconciler", "hummingbot/agent/tokyo"),
    ("reconciler", "hbot/mm/stop"),
]


@pytest.mark.parametrize(("user", "topic"), ALLOWED)
async def test_each_may_say_what_its_work_needs(
    broker: Mosquitto, transport_to: To, user: str, topic: str
) -> None:
    transport = transport_to(settings(broker, user))
    await transport.connect()

    await transport.publish(Publish(topic, b"{}"))


@pytest.mark.parametrize(("user", "topic"), FORBIDDEN)
async def test_nobody_may_say_what_is_anothers_to_say(
    broker: Mosquitto, transport_to: To, user: str, topic: str
) -> None:
    transport = transport_to(settings(broker, user))
    await transport.connect()

    with pytest.raises(BrokerError, match="Not authorized"):
        await transport.publish(Publish(topic, b"{}"))


@pytest.mark.parametrize(
    ("user", "deaf_to"),
    [
        ("viewer", "hummingbot/strategy/create"),
        ("viewer", "hummingbot/response/ctl-1"),
        ("viewer", "hbot/mm/log"),
        ("reconciler", "hbot/mm/log"),
        ("agent", "hummingbot/notifications/telegram"),
    ],
)
async def test_no_user_receives_what_is_not_for_it(
    broker: Mosquitto, transport_to: To, user: str, deaf_to: str
) -> None:
    speaker = next(name for name, topic in _speakers() if topic == deaf_to)
    listener, voice = transport_to(settings(broker, user)), transport_to(settings(broker, speaker), "voice")
    recorder = TransportRecorder(listener)
    await listener.connect()
    await listener.subscribe(["#"])
    await voice.connect()

    await voice.publish(Publish(deaf_to, b"{}"))
    end = {"reconciler": "hummingbot/logs", "viewer": "hummingbot/logs", "agent": "hummingbot/status/end"}[
        user
    ]
    other = transport_to(settings(broker, "agent"), "end")
    await other.connect()
    await other.publish(Publish(end, b"end"))

    assert [message.topic for message in await recorder.received()] == [end]


def _speakers() -> list[tuple[str, str]]:
    return [
        ("reconciler", "hummingbot/strategy/create"),
        ("agent", "hummingbot/response/ctl-1"),
        ("agent", "hbot/mm/log"),
        ("reconciler", "hummingbot/notifications/telegram"),
    ]


@pytest.mark.parametrize(
    ("username", "password"), [(None, None), ("agent", "of-viewer"), ("root", "of-agent")]
)
async def test_strangers_stay_outside(
    broker: Mosquitto, transport_to: To, username: str | None, password: str | None
) -> None:
    stranger = transport_to(BrokerSettings(url=broker.url, username=username, password=password))

    with pytest.raises(BrokerRefused):
        await stranger.connect()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that the README's commands make."""
    folder = tmp_path / "secrets"
    block = re.findall(r"```sh\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)[0]

    script = block.replace("/etc/reconciler/secrets", str(folder))
    subprocess.run(["bash", "-euc", script], check=True, capture_output=True, timeout=60)
    return folder


async def test_the_readmes_commands_make_secrets_that_the_broker_takes(
    serve: Serve, transport_to: To, secrets: Path
) -> None:
    broker = serve(secrets / "mosquitto_passwords")
    for user in USERS:
        password = (secrets / f"{user}_mqtt_password").read_text().strip()
        transport = transport_to(BrokerSettings(url=broker.url, username=user, password=password), user)
        await transport.connect()
        assert transport.connected


def test_the_readmes_secrets_are_for_nobody_else_to_read(secrets: Path) -> None:
    assert {file.stat().st_mode & 0o077 for file in (secrets, *secrets.iterdir())} == {0}
