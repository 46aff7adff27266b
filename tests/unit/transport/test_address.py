"""`broker.url` read: addresses, defaults, and what a wrong one is answered with."""

from __future__ import annotations

import pytest

from reconciler.errors import SettingsError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.address import BrokerAddress, parse_address
from reconciler.transport.factory import open_transport


def address(url: str, username: str | None = None, password: str | None = None) -> BrokerAddress:
    return parse_address(BrokerSettings(url=url, username=username, password=password))


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker", "broker", 1883, False),
        ("mqtts://broker", "broker", 8883, True),
        ("mqtt://broker:18830/", "broker", 18830, False),
        ("mqtt://10.0.0.7:1", "10.0.0.7", 1, False),
        ("mqtts://[::1]:8884", "::1", 8884, True),
        ("MQTT://broker", "broker", 1883, False),
    ],
)
def test_a_url_says_where(url: str, host: str, port: int, tls: bool) -> None:
    assert (address(url).host, address(url).port, address(url).tls) == (host, port, tls)


def test_name_and_password_may_stand_in_the_url() -> None:
    read = address("mqtt://bot%40desk:p%3Aw%2F@broker")

    assert (read.username, read.password) == ("bot@desk", "p:w/")


def test_settings_win_over_the_url() -> None:
    read = address("mqtt://one:two@broker", username="three", password="four")

    assert (read.username, read.password) == ("three", "four")


def test_an_address_shows_no_password() -> None:
    read = address("mqtts://one:secret@[::1]")

    assert "secret" not in f"{read} {read!r}"
    assert str(read) == "mqtts://[::1]:8883"


@pytest.mark.parametrize(
    "url",
    [
        "http://u:secret@broker",
        "broker:secret",
        "",
        "mqtt://u:secret@",
        "mqtt://u:secret@broker:0",
        "mqtt://u:secret@broker:99999",
        "mqtt://u:secret@broker:x",
        "mqtt://u:secret@broker/topic",
        "mqtt://u:secret@broker?x=1",
        "mqtt://u:secret@[::1",
        "embedded:?port=x",
        "embedded:?port=70000",
        "embedded:?speed=1",
        "embedded://host",
    ],
)
def test_a_wrong_url_is_explained_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_transport(BrokerSettings(url=url), client_id="test")

    assert "secret" not in f"{caught.value} {caught.value.fix}"
    assert "embedded:" in caught.value.fix


def test_a_password_alone_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"without broker\.username"):
        address("mqtt://broker", password="secret")
