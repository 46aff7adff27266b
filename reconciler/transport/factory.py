"""`broker.url` → the transport for it. The only module that knows every transport."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, parse_qs

import msgspec

from reconciler.errors import SettingsError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.address import BrokerAddress, parse_address, split_url
from reconciler.transport.base import ClientIdentity, Transport, Will

DEFAULT_STATE_DIR = Path(".reconciler")

ReadBroker = Callable[[], BrokerSettings]
"""Reads the settings again: a password that a file or `${file:…}` holds may have been rotated."""


def open_transport(
    broker: BrokerSettings,
    *,
    client_id: str,
    will: Will | None = None,
    state_dir: Path | None = None,
    read_broker: ReadBroker | None = None,
) -> Transport:
    """A transport to the broker, not yet connected. `state_dir`: where an embedded broker keeps its address.

    `read_broker`: asked before each connection for the user name and password of now; the address stays. While it
    raises SettingsError, the last ones count.

    Raises:
        SettingsError: the URL has no meaning; the message never shows its password.
    """
    parts = split_url(broker.url)
    client = ClientIdentity(client_id, will)
    if parts.scheme == "memory":
        from reconciler.transport.memory import MemoryTransport, hub_named

        return MemoryTransport(hub_named(parts.path), client)
    if parts.scheme == "embedded":
        from reconciler.transport.embedded.transport import EmbeddedBroker, EmbeddedTransport

        shared = EmbeddedBroker(state_dir or DEFAULT_STATE_DIR, _embedded_port(parts))
        return EmbeddedTransport(shared, client, connect_timeout_s=broker.connect_timeout_s)
    from reconciler.transport.mqtt.client import MqttTransport

    address = parse_address(broker)

    async def address_of_settings() -> BrokerAddress:
        nonlocal address
        if read_broker is not None:
            with contextlib.suppress(SettingsError):  # a file that is being edited
                now = parse_address(read_broker())
                address = msgspec.structs.replace(address, username=now.username, password=now.password)
        return address

    return MqttTransport(
        address_of_settings, client, tls=broker.tls, connect_timeout_s=broker.connect_timeout_s
    )


def _embedded_port(parts: SplitResult) -> int | None:
    """The port in `embedded:?port=PORT`; None takes a free one."""
    query = parse_qs(parts.query)
    text = query.pop("port", ["0"])[-1]
    if parts.netloc or parts.path or query or not text.isdecimal() or int(text) > 65_535:  # noqa: PLR2004  the last port
        raise SettingsError(
            "broker.url: embedded: takes a port at most", fix="write embedded: or embedded:?port=18830"
        )
    return int(text) or None
