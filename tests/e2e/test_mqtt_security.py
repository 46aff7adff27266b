"""Passwords, access lists and TLS, with a real Mosquitto: a refusal names its reason, once, and ends nothing for good."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import BrokerError, BrokerRefused, SettingsError
from reconciler.settings.model import BrokerSettings, TlsSettings
from reconciler.transport.base import Publish, Transport
from tests.e2e.conftest import Certificates
from tests.support.brokers import Mosquitto, set_password
from tests.support.conditions import until
from tests.support.transport_recorder import TransportRecorder

To = Callable[..., Transport]
Start = Callable[..., Mosquitto]


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    file = tmp_path / "passwords"
    set_password(file, "desk", "right")
    return file


@pytest.fixture
def guarded(mosquitto_factory: Start, passwords: Path) -> Mosquitto:
    """A broker that wants a password."""
    return mosquitto_factory(f"listener {{port}} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}")


def as_user(broker: Mosquitto, password: str | None, username: str | None = "desk") -> BrokerSettings:
    return BrokerSettings(url=broker.url, username=username, password=password)


async def test_the_right_password_opens(transport_to: To, guarded: Mosquitto) -> None:
    transport = transport_to(as_user(guarded, "right"))

    await transport.connect()

    assert transport.connected


async def test_a_password_may_stand_in_the_url(transport_to: To, guarded: Mosquitto) -> None:
    transport = transport_to(BrokerSettings(url=guarded.url.replace("//", "//desk:right@")))

    await transport.connect()

    assert transport.connected


@pytest.mark.parametrize(("username", "password"), [("desk", "wrong"), ("stranger", "right"), (None, None)])
async def test_a_wrong_password_is_refused_once(
    transport_to: To, guarded: Mosquitto, username: str | None, password: str | None
) -> None:
    transport = transport_to(as_user(guarded, password, username))

    with pytest.raises(BrokerRefused, match="Not authorized") as caught:
        await transport.connect()

    assert "broker.username" in caught.value.fix
    assert "wrong" not in f"{caught.value} {caught.value.fix}"
    assert guarded.log.read_text().count("New connection from") <= 2  # one of them looked whether it listens


async def test_a_login_that_is_refused_for_a_while_is_tried_until_it_is_accepted_again(
    transport_to: To, guarded: Mosquitto, passwords: Path
) -> None:
    transport = transport_to(as_user(guarded, "right"))
    recorder = TransportRecorder(transport)
    await transport.connect()
    await transport.subscribe(["a"])
    guarded.stop()
    set_password(passwords, "desk", "changed")
    guarded.start()

    await until(lambda: guarded.log.read_text().count("not authorised") >= 4)
    with pytest.raises(BrokerError, match="Not authorized"):
        await transport.publish(Publish("a", b"x"))
    set_password(passwords, "desk", "right")
    guarded.reload()
    await recorder.back()
    await transport.publish(Publish("a", b"x"))

    assert [message.payload for message in await recorder.received()] == [b"x"]
    lost = [reason for connected, reason in recorder.connection if not connected]
    assert sum("Not authorized" in reason for reason in lost) == 1
    assert len(lost) == len(set(lost))


async def test_a_filter_that_the_access_list_forbids_is_named(
    transport_to: To, mosquitto_factory: Start, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite mine/#\n")
    broker = mosquitto_factory(f"listener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {acl}")
    transport = transport_to(BrokerSettings(url=broker.url))
    await transport.connect()

    with pytest.raises(BrokerError, match=r"refused a message to theirs/a: Not authorized"):
        await transport.publish(Publish("theirs/a", b"x"))
    await transport.subscribe(["mine/#"])
    result = await transport.publish(Publish("mine/a", b"x"))

    assert not result.no_subscribers


@pytest.fixture
def tls_broker(mosquitto_factory: Start, certificates: Certificates) -> Callable[..., Mosquitto]:
    """`tls_broker(alternative, *more configuration)`: a broker with a certificate for that name."""

    def start(alternative: str = "IP:127.0.0.1", *more: str) -> Mosquitto:
        cert, key = certificates.pair(f"server-{len(alternative)}", alternative)
        lines = (
            "listener {port} 127.0.0.1",
            "allow_anonymous true",
            f"cafile {certificates.ca}",
            f"certfile {cert}",
            f"keyfile {key}",
            *more,
        )
        return mosquitto_factory("\n".join(lines))

    return start


def over_tls(broker: Mosquitto, tls: TlsSettings) -> BrokerSettings:
    return BrokerSettings(url=broker.url.replace("mqtt:", "mqtts:"), tls=tls)


async def test_tls_with_the_right_authority_carries_messages(
    transport_to: To, tls_broker: Callable[..., Mosquitto], certificates: Certificates
) -> None:
    transport = transport_to(over_tls(tls_broker(), TlsSettings(ca_file=str(certificates.ca))))
    recorder = TransportRecorder(transport)
    payload = b"x" * 300_000

    await transport.connect()
    await transport.subscribe(["a"])
    await transport.publish(Publish("a", payload))

    assert (await recorder.received())[0].payload == payload
    assert recorder.connection[0][1].startswith("connected to mqtts://")


async def test_a_certificate_of_an_unknown_authority_is_refused(
    transport_to: To, tls_broker: Callable[..., Mosquitto], certificates: Certificates
) -> None:
    transport = transport_to(over_tls(tls_broker(), TlsSettings(ca_file=str(certificates.stranger))))

    with pytest.raises(BrokerRefused, match="cannot be trusted") as caught:
        await transport.connect()

    assert "broker.tls.ca_file" in caught.value.fix


async def test_a_certificate_for_another_name_is_refused(
    transport_to: To, tls_broker: Callable[..., Mosquitto], certificates: Certificates
) -> None:
    broker = tls_broker("DNS:other.example")

    with pytest.raises(BrokerRefused, match=r"cannot be trusted: .*127\.0\.0\.1"):
        await transport_to(over_tls(broker, TlsSettings(ca_file=str(certificates.ca)))).connect()


async def test_a_broker_that_wants_a_certificate_refuses_who_has_none(
    transport_to: To, tls_broker: Callable[..., Mosquitto], certificates: Certificates
) -> None:
    broker = tls_broker("IP:127.0.0.1", "require_certificate true")
    cert, key = certificates.pair("client", "DNS:client")
    ca = str(certificates.ca)

    with pytest.raises(BrokerRefused) as caught:
        await transport_to(over_tls(broker, TlsSettings(ca_file=ca))).connect()
    shown = transport_to(over_tls(broker, TlsSettings(ca_file=ca, cert_file=str(cert), key_file=str(key))))
    await shown.connect()

    assert "broker.tls.cert_file" in caught.value.fix
    assert shown.connected


async def test_a_certificate_that_is_renewed_after_refusals_brings_the_connection_back(
    transport_to: To, mosquitto_factory: Start, certificates: Certificates, tmp_path: Path
) -> None:
    def install(alternative: str) -> None:
        pair = certificates.pair(f"renewed-{len(alternative)}", alternative)
        for source, name in zip(pair, ("server.crt", "server.key"), strict=True):
            shutil.copy(source, tmp_path / name)

    install("IP:127.0.0.1")
    broker = mosquitto_factory(
        f"listener {{port}} 127.0.0.1\nallow_anonymous true\ncertfile {tmp_path}/server.crt\nkeyfile {tmp_path}/server.key"
    )
    transport = transport_to(over_tls(broker, TlsSettings(ca_file=str(certificates.ca))))
    recorder = TransportRecorder(transport)
    await transport.connect()
    broker.stop()
    install("DNS:other.example")
    broker.start()

    await recorder.until(lambda: "cannot be trusted" in recorder.connection[-1][1])
    broker.stop()
    install("IP:127.0.0.1")
    broker.start()

    await recorder.back()


async def test_a_client_certificate_that_is_written_later_brings_the_connection_back(
    transport_to: To, tls_broker: Callable[..., Mosquitto], certificates: Certificates, tmp_path: Path
) -> None:
    broker = tls_broker("IP:127.0.0.1", "require_certificate true")
    cert, key = certificates.pair("client", "DNS:client")
    own_key = tmp_path / "client.key"
    shutil.copy(key, own_key)
    tls = TlsSettings(ca_file=str(certificates.ca), cert_file=str(cert), key_file=str(own_key))
    transport = transport_to(over_tls(broker, tls))
    recorder = TransportRecorder(transport)
    await transport.connect()
    own_key.unlink()
    broker.stop()
    broker.start()

    await recorder.until(lambda: "broker.tls.cert_file" in recorder.connection[-1][1])
    shutil.copy(key, own_key)

    await recorder.back()


async def test_tls_to_a_port_without_is_refused(transport_to: To, mosquitto: Mosquitto) -> None:
    with pytest.raises(BrokerError):
        await transport_to(over_tls(mosquitto, TlsSettings())).connect()


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"ca_file": "/no/such.crt"}, r"broker\.tls\.ca_file /no/such\.crt"),
        ({"cert_file": "/no/such.crt", "key_file": "/no/such.key"}, r"broker\.tls\.cert_file /no/such\.crt"),
    ],
)
async def test_a_tls_file_that_cannot_be_read_is_a_setting_to_correct(
    transport_to: To, mosquitto: Mosquitto, files: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        await transport_to(over_tls(mosquitto, TlsSettings(**files))).connect()
