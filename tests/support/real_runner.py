"""The runner of real bots on the exchange for tests, for the suite that every runner passes."""

from __future__ import annotations

import secrets
from pathlib import Path

from reconciler.agent.hummingbot.credentials import Credentials
from reconciler.agent.hummingbot.launch import HummingbotBackend
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.hummingbot.runner import HummingbotRunner
from reconciler.catalog.loading import load_catalog
from reconciler.settings.model import BrokerSettings, TlsSettings
from reconciler.transport.address import parse_address
from reconciler.transport.factory import open_transport
from tests.exchange.process import ExchangeProcess
from tests.oracle import python
from tests.support.real_bots import BINANCE


def real_runner(folder: Path, broker_url: str, exchange: ExchangeProcess) -> HummingbotRunner:
    """Bots with the keys of the exchange's own account."""
    interpreter = python()
    assert interpreter is not None
    spot = {name: exchange.addresses[name] for name in ("REST_URL", "WSS_URL", "WSS_API_URL")}
    options = BotOptions(python=interpreter, endpoints={BINANCE: spot})
    broker = BrokerSettings(url=broker_url)
    keys = {"api_key": "test-key", "api_secret": "test-secret"}
    backend = HummingbotBackend(
        interpreter,
        options,
        catalog=load_catalog(),
        credentials=Credentials(accounts={"default": {"binance": keys}}),
        transport=open_transport(broker, client_id=f"runner-{secrets.token_hex(3)}"),
        address=parse_address(broker),
        tls=TlsSettings(),
        scope=f"suite-{secrets.token_hex(3)}",
    )
    return HummingbotRunner(folder, catalog=load_catalog(), backend=backend, options=options)
