"""
Launches real Hummingbot: writes a bot's root folder, and says how its process is started and reached.

Rule 1: keys and passwords go over a pipe and are written to no file, argument or environment.
Rule 2: the root folder can be written again at any time and is then as new; logs and data stay.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import orjson
import yaml

from reconciler.agent.hummingbot.bridge import BotListener, Bridge, BridgeClient
from reconciler.agent.hummingbot.credentials import PAPER, Credentials
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.model import Strategy
from reconciler.catalog import Catalog
from reconciler.catalog.catalog import CONTROLLER
from reconciler.catalog.mapping import BotFile, UnmappedPair, to_hummingbot, to_yaml
from reconciler.errors import CommandRejected
from reconciler.files import write_atomically
from reconciler.protocol.codes import ErrorCode
from reconciler.settings.model import TlsSettings
from reconciler.transport.address import BrokerAddress
from reconciler.transport.base import Transport

GUEST = Path(__file__).parent / "guest"
"""What runs inside Hummingbot's interpreter."""

FOLDERS = (
    "conf/strategies",
    "conf/scripts",
    "conf/controllers",
    "conf/connectors",
    "logs",
    "data",
    "scripts",
)
SCRIPT = "v2_with_controllers.py"

RATE_SOURCES = frozenset({"binance", "kucoin", "gate_io", "mexc", "coinbase_advanced_trade", "hyperliquid"})
"""Exchanges that Hummingbot can take exchange rates from; for others it uses its default."""

PASSED_ON = ("PATH", "LANG", "TZ", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE")
"""Of the agent's environment, which may also hold the agent's secrets."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How one process is started. `secret`: its stdin; nothing else is secret."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    secret: bytes = b""

    def __repr__(self) -> str:
        """Without `secret`, since it may get into a traceback."""
        return f"{type(self).__name__}({self.argv!r})"


class BotBackend(Protocol):
    """Prepares and reaches all bots of one agent."""

    async def open(self) -> None:
        """Connect to the broker. Raises BrokerError."""

    async def close(self) -> None:
        """Disconnect from the broker; bots live on."""

    @property
    def connected(self) -> bool:
        """Whether the connection to the broker stands."""

    def prepare(self, root: Path, strategy: Strategy, *, paused: bool) -> Launch:
        """Write the root folder; a bot started `paused` loads no strategy.

        Raises:
            CommandRejected: the strategy cannot be mapped to Hummingbot's form, or its account lacks keys.
            OSError: the folder cannot be written.
        """

    def rewrite(self, root: Path, strategy: Strategy) -> None:
        """Replace the strategy's own file, for a bot that is up. Raises as `prepare`."""

    def connect(self, name: str, listener: BotListener) -> Bridge:
        """Listen to the bot of this name."""


class HummingbotBackend:
    """Bots of one agent on one installed Hummingbot.

    `address`: of the broker; `scope`: keeps these bots apart from those of other agents on the same broker.
    """

    def __init__(  # noqa: PLR0913  (what every bot is made from)
        self,
        python: Path,
        options: BotOptions,
        *,
        catalog: Catalog,
        credentials: Credentials,
        transport: Transport,
        address: BrokerAddress,
        tls: TlsSettings,
        scope: str,
    ) -> None:
        self._python = python
        self._options = options
        self._catalog = catalog
        self._credentials = credentials
        self._address = address
        self._tls = tls
        self._scope = scope
        self._client = BridgeClient(transport, options.namespace)

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    @property
    def connected(self) -> bool:
        return self._client.connected

    def connect(self, name: str, listener: BotListener) -> Bridge:
        return self._client.connect(self._instance(name), name, listener)

    def _instance(self, name: str) -> str:
        return f"{self._scope}.{name}"

    def prepare(self, root: Path, strategy: Strategy, *, paused: bool) -> Launch:
        file = self._file(strategy)
        connectors = self._connectors(strategy)
        missing = self._credentials.missing(strategy.account, connectors)
        if missing:
            raise CommandRejected(
                ErrorCode.INVALID_CONFIG,
                f"account {strategy.account} has no keys for {', '.join(missing)}: give them to the agent",
            )
        keys = {name: self._credentials.keys(strategy.account, name) for name in connectors}
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        root.chmod(0o700)
        _write(root / "conf" / "conf_client.yml", yaml.safe_dump(self._client_config(strategy)))
        if file.kind == CONTROLLER:
            self._write_script(root, strategy.name)
        self.rewrite(root, strategy)
        order = {
            "name": strategy.name,
            "kind": file.kind,
            "paused": paused,
            "instance": self._instance(strategy.name),
            "broker": {
                "username": self._address.username or "",
                "password": self._address.password or "",
                "tls": msgspec.to_builtins(self._tls),
            },
            "password": self._credentials.keystore_password or secrets.token_urlsafe(24),
            "keys": {name: found for name, found in keys.items() if found},
            "endpoints": self._options.endpoints,
            "any_version": self._options.any_version,
        }
        return Launch(
            argv=(str(self._python), str(GUEST / "launcher.py"), str(root)),
            env={"HOME": str(root), **{name: os.environ[name] for name in PASSED_ON if name in os.environ}},
            secret=orjson.dumps(order),
        )

    def rewrite(self, root: Path, strategy: Strategy) -> None:
        file = self._file(strategy)
        folder = "controllers" if file.kind == CONTROLLER else "strategies"
        _write(root / "conf" / folder / f"{strategy.name}.yml", to_yaml(file))

    def _write_script(self, root: Path, name: str) -> None:
        """Write the script that a controller runs in; the controller's code is the user's."""
        _write(root / "scripts" / SCRIPT, (GUEST / SCRIPT).read_text(encoding="utf-8"))
        _write(root / "scripts" / "__init__.py", "")
        config = {"script_file_name": SCRIPT, "controllers_config": [f"{name}.yml"]}
        _write(root / "conf" / "scripts" / f"{name}.yml", yaml.safe_dump(config))
        if self._options.controllers is None:
            raise CommandRejected(
                ErrorCode.UNKNOWN_STRATEGY_TYPE,
                "controllers run from a folder that this agent was not given (--controllers)",
            )
        link = root / "controllers"
        link.unlink(missing_ok=True)
        link.symlink_to(self._options.controllers.absolute())

    def _client_config(self, strategy: Strategy) -> dict[str, Any]:
        """Return conf_client.yml, as far as it must differ from the defaults: usage statistics are on by default."""
        paper = [name for name in self._connectors(strategy) if name.endswith(PAPER)]
        source = strategy.exchange.removesuffix(PAPER).removesuffix("_perpetual")
        rates = {"rate_oracle_source": {"name": source}} if source in RATE_SOURCES else {}
        return {
            "instance_id": self._instance(strategy.name),
            "anonymized_metrics_mode": "anonymized_metrics_disabled",
            "send_error_logs": False,
            "mqtt_bridge": {
                "mqtt_host": self._address.host,
                "mqtt_port": self._address.port,
                "mqtt_namespace": self._options.namespace,
                "mqtt_ssl": self._address.tls,
                "mqtt_autostart": True,
            },
            # By default several, each of which is asked for its trading pairs.
            "paper_trade": {"paper_trade_exchanges": sorted(name.removesuffix(PAPER) for name in paper)},
            **rates,
        }

    def _connectors(self, strategy: Strategy) -> list[str]:
        """Return all connectors that a strategy trades on: its own, and those of its other venues."""
        found = {strategy.exchange}
        fields = self._catalog.schema(strategy.strategy_type)["properties"]
        for name, value in strategy.config.items():
            field = fields.get(name, {})
            if field.get("x-venue") and isinstance(value, str) and field["x-role"] == "exchange":
                found.add(value)
            elif isinstance(value, Mapping):
                found |= {str(value[key]) for key in ("connector", "connector_name") if value.get(key)}
        return sorted(found)

    def _file(self, strategy: Strategy) -> BotFile:
        try:
            return to_hummingbot(
                self._catalog,
                strategy.strategy_type,
                name=strategy.name,
                exchange=strategy.exchange,
                trading_pair=strategy.trading_pair,
                config=strategy.config,
            )
        except UnmappedPair as error:
            raise CommandRejected(ErrorCode.INVALID_CONFIG, str(error)) from error


def _write(file: Path, text: str) -> None:
    write_atomically(file, text.encode(), mode=0o600)
