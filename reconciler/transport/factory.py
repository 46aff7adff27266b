"""`broker.url` → the transport for it. The only place that knows all of them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, parse_qs

from reconciler.errors import SettingsError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.address import BrokerAddress, parse_address, split_url
from reconciler.transport.base import ClientIdentity, Transport, Will

DEFAULT_STATE_DIR = Path(".reconciler")


def open_transport(
    broker: BrokerSettings, *, client_id: str, will: Will | None = None, state_dir: Path | None = None
) -> Transport:
    """A transport to the broker, not yet connected. `state_dir`: where an embedded broker keeps its address.

    Raises:
        SettingsError: the URL has no meaning; the message never shows its password.
    """
    parts = split_url(broker.url)
    who = ClientIdentity(client_id, will)
    if parts.scheme == "memory":
        return _memory(parts, who)
    if parts.scheme == "embedded":
        return _embedded(parts, broker, who, state_dir or DEFAULT_STATE_DIR)
    return _mqtt(parse_address(broker), broker, who)


def _memory(parts: SplitResult, who: ClientIdentity) -> Transport:
    from reconciler.transport.memory import MemoryTransport, hub_named

    return MemoryTransport(hub_named(parts.path), who)


def _mqtt(address: BrokerAddress, broker: BrokerSettings, who: ClientIdentity) -> Transport:
    from reconciler.transport.mqtt.client import MqttTransport

    async def where() -> BrokerAddress:
        return address

    return MqttTransport(where, who, tls=broker.tls, connect_timeout_s=broker.connect_timeout_s)


def _embedded(parts: SplitResult, broker: BrokerSettings, who: ClientIdentity, state_dir: Path) -> Transport:
    from reconciler.transport.embedded.transport import EmbeddedBroker, EmbeddedTransport

    shared = EmbeddedBroker(state_dir, _embedded_port(parts))
    return EmbeddedTransport(shared, who, connect_timeout_s=broker.connect_timeout_s)


def _embedded_port(parts: SplitResult) -> int | None:
    query = parse_qs(parts.query)
    text = query.pop("port", ["0"])[-1]
    if parts.netloc or parts.path or query or not text.isdecimal() or int(text) > 65_535:  # noqa: PLR2004  ports end there
        raise SettingsError(
            "broker.url: embedded: takes a port at most", fix="write embedded: or embedded:?port=18830"
        )
    return int(text) or None
