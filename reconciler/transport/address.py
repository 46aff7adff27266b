"""
`broker.url` → the broker's address and the client's credentials. Pure.

Rule 1: no message and no printed address shows a user name or a password.
Rule 2: credentials in the settings win over those in the URL.
"""

from __future__ import annotations

from enum import IntEnum
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from reconciler.errors import SettingsError
from reconciler.settings.model import BrokerSettings

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""The schemes over TCP, with the ports registered for them."""

FORMS = "mqtt://HOST[:PORT], mqtts://HOST[:PORT], embedded:[?port=PORT] or memory:[NAME]"


class MqttVersion(IntEnum):
    """MQTT's protocol versions; the value is the number on the wire."""

    V311 = 4
    V5 = 5

    def __str__(self) -> str:
        return {MqttVersion.V311: "MQTT 3.1.1", MqttVersion.V5: "MQTT 5"}[self]


class BrokerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One broker. `versions`: those to try, in this order. Printed, it is the URL without credentials (rule 1)."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None
    versions: tuple[MqttVersion, ...] = (MqttVersion.V5, MqttVersion.V311)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def __repr__(self) -> str:
        return str(self)


def split_url(url: str) -> SplitResult:
    """Split `broker.url`, whose scheme must be known.

    Raises:
        SettingsError: unknown scheme; the fix lists the known ones.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong("is not a URL") from None
    if parts.scheme not in {*PORTS, "embedded", "memory"}:
        named = f"has the unknown scheme {parts.scheme!r}" if parts.scheme else "has no scheme"
        raise _wrong(named)
    return parts


def parse_address(broker: BrokerSettings) -> BrokerAddress:
    """Read an mqtt: or mqtts: URL (rule 2).

    Raises:
        SettingsError: no host, an invalid port, parts without a meaning here, or a password without a user name.
    """
    parts = split_url(broker.url)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise _wrong("needs a host, and after host and port nothing")
    username = broker.username if broker.username is not None else _decoded(parts.username)
    password = broker.password if broker.password is not None else _decoded(parts.password)
    if password is not None and username is None:
        raise SettingsError("broker.password is set without broker.username", fix="set broker.username too")
    try:
        port = PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _wrong("has a port that is not a number from 1 to 65535")
    return BrokerAddress(
        host=parts.hostname,
        port=port,
        tls=parts.scheme == "mqtts",
        username=username,
        password=password,
    )


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _wrong(what: str) -> SettingsError:
    return SettingsError(f"broker.url {what}", fix=f"write {FORMS}")
