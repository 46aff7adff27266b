"""
Real Hummingbot behind a bot (launch.BotBackend): its root folder, what its process is told, and the line to it.

Rule 1: keys and passwords go over a pipe and are written nowhere.
Rule 2: a folder can be made again at any time and is then as new; logs and data stay.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
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
from reconciler.protocol.codes import ErrorCode
from reconciler.settings.model import TlsSettings
from reconciler.transport.address import BrokerAddress
from reconciler.transport.base import Transport

WITHIN = Path(__file__).parent / "guest"
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
"""Exchanges that Hummingbot can take exchange rates from; with any other strategy it takes its default."""

PASSED_ON = ("PATH", "LANG", "TZ", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE")
"""Of the agent's environment: a bot is not told the agent's secrets, which stand there too."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to begin one process. `secret`: what it reads on stdin; in none of the rest is anything secret."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    secret: bytes = b""

    def __repr__(self) -> str:
        """Without `secret`, since it may come into a traceback."""
        return f"{type(self).__name__}({self.argv!r})"


class BotBackend(Protocol):
    """Makes both, for all bots of one agent."""

    async def open(self) -> None:
        """Connect. Raises BrokerError."""

    async def close(self) -> None:
        """Let go of every bot."""

    @property
    def line(self) -> bool:
        """Whether our own connection stands."""

    def prepare(self, root: Path, strategy: Strategy, *, paused: bool) -> Launch:
        """Make or renew the root folder; a bot begun `paused` loads no strategy. Touches files.

        Raises:
            CommandRejected: the strategy cannot be put into Hummingbot's form, or its account lacks keys.
            OSError: the folder cannot be written.
        """

    def rewrite(self, root: Path, strategy: Strategy) -> None:
        """Write the strategy's own file anew, for a bot that is up."""

    def connect(self, name: str, ear: BotListener) -> Bridge:
        """A line to the bot of this name."""


class HummingbotBackend:
    """Bots of one agent on one installed Hummingbot.

    `address`: of the broker; `scope`: sets these bots apart from those of other agents on it.
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
        self._board = BridgeClient(transport, options.namespace)

    async def open(self) -> None:
        await self._board.open()

    async def close(self) -> None:
        await self._board.close()

    @property
    def line(self) -> bool:
        return self._board.line

    def connect(self, name: str, ear: BotListener) -> Bridge:
        return self._board.connect(self._instance(name), name, ear)

    def _instance(self, name: str) -> str:
        return f"{self._scope}.{name}"

    # -- folders

    def prepare(self, root: Path, strategy: Strategy, *, paused: bool) -> Launch:
        file = self._file(strategy)
        keys = self._keys(strategy)
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        root.chmod(0o700)
        _write(root / "conf" / "conf_client.yml", yaml.safe_dump(self._client(strategy)))
        if file.kind == CONTROLLER:
            self._prepare_controller(root, strategy.name)
        self.rewrite(root, strategy)
        return Launch(
            argv=(str(self._python), str(WITHIN / "launcher.py"), str(root)),
            env={"HOME": str(root), **{name: os.environ[name] for name in PASSED_ON if name in os.environ}},
            secret=orjson.dumps(self._order(strategy, file, keys, paused=paused)),
        )

    def rewrite(self, root: Path, strategy: Strategy) -> None:
        file = self._file(strategy)
        folder = "controllers" if file.kind == CONTROLLER else "strategies"
        _write(root / "conf" / folder / f"{strategy.name}.yml", to_yaml(file))

    def _prepare_controller(self, root: Path, name: str) -> None:
        """A controller runs within a script of ours; its code is the user's."""
        script = (WITHIN / SCRIPT).read_text(encoding="utf-8")
        _write(root / "scripts" / SCRIPT, script)
        _write(root / "scripts" / "__init__.py", "")
        told = {"script_file_name": SCRIPT, "controllers_config": [f"{name}.yml"]}
        _write(root / "conf" / "scripts" / f"{name}.yml", yaml.safe_dump(told))
        link = root / "controllers"
        if self._options.controllers is None:
            raise CommandRejected(
                ErrorCode.UNKNOWN_STRATEGY_TYPE,
                "controllers run from a folder that this agent was not given (--controllers)",
            )
        link.unlink(missing_ok=True)
        link.symlink_to(self._options.controllers.absolute())

    def _client(self, strategy: Strategy) -> dict[str, Any]:
        """conf_client.yml, as far as it must not be the default. Usage statistics are on by default."""
        exchange = strategy.exchange.removesuffix(PAPER)
        traded = {strategy.exchange, *_venues(self._catalog, strategy)}
        on_paper = sorted(name.removesuffix(PAPER) for name in traded if name.endswith(PAPER))
        source = exchange.removesuffix("_perpetual")
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
            "paper_trade": {
                "paper_trade_exchanges": on_paper
            },  # by default several, each asked for its pairs
            **rates,
        }

    # -- what the process is told

    def _order(
        self, strategy: Strategy, file: BotFile, keys: Mapping[str, Mapping[str, str]], *, paused: bool
    ) -> dict[str, Any]:
        return {
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
            "keys": keys,
            "endpoints": self._options.endpoints,
            "any_version": self._options.any_version,
        }

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

    def _keys(self, strategy: Strategy) -> dict[str, dict[str, str]]:
        """The keys of all connectors that a strategy trades on.

        Raises:
            CommandRejected: its account lacks some.
        """
        traded = sorted({strategy.exchange, *_venues(self._catalog, strategy)})
        missing = self._credentials.missing(strategy.account, traded)
        if missing:
            raise CommandRejected(
                ErrorCode.INVALID_CONFIG,
                f"account {strategy.account} has no keys for {', '.join(missing)}: give them to the agent",
            )
        found = {name: self._credentials.keys(strategy.account, name) for name in traded}
        return {name: dict(keys) for name, keys in found.items() if keys}


def _venues(catalog: Catalog, strategy: Strategy) -> Iterator[str]:
    """The connectors of a strategy's other venues."""
    fields = catalog.schema(strategy.strategy_type)["properties"]
    for name, value in strategy.config.items():
        if (
            fields.get(name, {}).get("x-venue")
            and isinstance(value, str)
            and fields[name]["x-role"] == "exchange"
        ):
            yield value
        elif isinstance(value, Mapping):
            yield from (str(value[key]) for key in ("connector", "connector_name") if value.get(key))


def _write(file: Path, text: str) -> None:
    """Write a file that nobody else may read; who reads it meanwhile sees the former one."""
    beside = file.with_name(f".{file.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as opened:  # noqa: PTH123  (a descriptor, so that its mode is right from the start)
        opened.write(text)
    beside.replace(file)
