"""
A broker's refusal → the error that says what may help: another version, another attempt, or nothing. Pure.

Rule 1: reason codes of brokers that cannot read a CONNECT, and a connection closed before any answer, mean that another
version may do (`VersionRefused`).
Rule 2: a reason code that may pass is a `BrokerError`.
Rule 3: everything else is a `BrokerRefused`, which ends a command and the start of a process at once.
"""

from __future__ import annotations

from reconciler.errors import BrokerError, BrokerRefused
from reconciler.transport.address import BrokerAddress, MqttVersion

FAILURE = 0x80
"""Reason codes from here on report a failure (MQTT 5, 2.4)."""

OTHER_VERSION = frozenset({0x81, 0x82, 0x84})
"""Reason codes of brokers that could not read the CONNECT: malformed, protocol error, unsupported version."""

PASSING = frozenset({0x80, 0x83, 0x88, 0x89, 0x97, 0x9C, 0x9F})
"""Reason codes that may differ next time: unspecified, implementation error, unavailable, busy, quota, moved, rate."""

CREDENTIALS = frozenset({0x86, 0x87})
TLS_FIX = "check that the port speaks TLS, and whether it wants broker.tls.cert_file and key_file"


class VersionRefused(BrokerError):
    """The broker does not seem to support this version of MQTT."""


def refused(address: BrokerAddress, version: MqttVersion, code: int, name: str) -> BrokerError:
    """The error for a CONNACK with the reason code `code`, called `name`."""
    text = f"the broker {address} refused us: {name}"
    if code in OTHER_VERSION:
        return VersionRefused(f"{text} ({version})")
    if code in PASSING:
        return BrokerError(text)
    if code in CREDENTIALS:
        return BrokerRefused(text, fix="set broker.username and broker.password to what the broker knows")
    return BrokerRefused(text)


def unanswered(
    address: BrokerAddress, version: MqttVersion, error: Exception | None, reason: str
) -> BrokerError:
    """The error for a connection that ended before its CONNACK, with `error` or because of `reason`."""
    text = f"the broker {address} did not accept us as {version}: {reason}"
    if address.tls and isinstance(error, ConnectionResetError) and version is MqttVersion.V311:
        # TLS 1.3 reports "certificate required" after the handshake, and the reset behind it may overtake that.
        return BrokerRefused(text, fix=TLS_FIX)
    return VersionRefused(
        text, fix="check that broker.url names an MQTT port; one that speaks TLS wants mqtts:"
    )
