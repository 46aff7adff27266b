"""A broker's no → the error that says what it means: another version may do, another time may, or nothing will. Pure."""

from __future__ import annotations

import ssl

from reconciler.errors import BrokerError, BrokerRefused
from reconciler.transport.address import BrokerAddress, MqttVersion

FAILURE = 0x80
"""Reason codes from here on say that something failed (MQTT 5, 2.4)."""

OTHER_VERSION = frozenset({0x81, 0x82, 0x84})
"""Reason codes of brokers that could not read our CONNECT: malformed, protocol error, unsupported version."""

PASSING = frozenset({0x80, 0x83, 0x88, 0x89, 0x97, 0x9C, 0x9F})
"""Reason codes that may be others next time: unspecified, unavailable, busy, quota, moved, rate."""

CREDENTIALS = frozenset({0x86, 0x87})
TLS_FIX = "check that the port speaks TLS, and whether it wants broker.tls.cert_file and key_file"


class VersionRefused(BrokerError):
    """The broker does not seem to speak this version of MQTT."""


def refused(address: BrokerAddress, version: MqttVersion, code: int, name: str) -> BrokerError:
    """The broker answered CONNECT with `code`."""
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
    """The connection ended before the broker answered CONNECT."""
    if isinstance(error, ssl.SSLError):
        return tls_refused(address, error)
    text = f"the broker {address} did not accept us as {version}: {reason}"
    if address.tls and isinstance(error, ConnectionResetError) and version is MqttVersion.V311:
        # TLS 1.3 says "certificate required" after the handshake, and the reset behind it may overtake that.
        return BrokerRefused(text, fix=TLS_FIX)
    return VersionRefused(
        text, fix="check that broker.url names an MQTT port; one that speaks TLS wants mqtts:"
    )


def tls_refused(address: BrokerAddress, error: ssl.SSLError) -> BrokerRefused:
    """TLS did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerRefused(
            f"the certificate of {address} cannot be trusted: {error.verify_message}",
            fix="set broker.tls.ca_file to the authority that signed it, and broker.url to the name it is for",
        )
    return BrokerRefused(f"no TLS with {address}: {error.reason or error}", fix=TLS_FIX)
