"""One real bot without an agent: its root folder, its process and the line to it, for tests of what runs inside it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from reconciler.agent.hummingbot.bridge import BridgeReply, Bridges, Line
from reconciler.agent.hummingbot.inside import Unanswered
from reconciler.agent.hummingbot.instance import Instance, launch, make_root
from reconciler.agent.hummingbot.process import Process, begin
from reconciler.agent.hummingbot.within.spec import V1, Broker, Secrets
from reconciler.agent.hummingbot.within.words import Ask
from reconciler.catalog.mapping import to_hummingbot, to_yaml
from reconciler.catalog.packaged import HUMMINGBOT_VERSION, load_catalog
from tests.exchange.process import ExchangeProcess
from tests.waiting import until

PATIENCE_S = 120.0
"""How long to wait for a bot; only a failing test waits that long."""

CONSTANTS = "hummingbot.connector.exchange.binance.binance_constants"
KEYS = {"binance": {"api_key": "test-key", "api_secret": "test-secret"}}
SECRETS = Secrets(keystore_password="sesame", connectors=KEYS)

MAKER: Mapping[str, Any] = {
    "bid_spread": 0.5,
    "ask_spread": 0.5,
    "order_amount": 0.01,
    "order_refresh_time": 2,
}


def maker_file(exchange: str = "binance", **config: Any) -> str:
    """A file of pure_market_making, as Hummingbot reads it."""
    catalog = load_catalog()
    full = catalog.with_defaults("pure_market_making", {**MAKER, **config})
    file = to_hummingbot(
        catalog,
        "pure_market_making",
        name="maker.1",
        exchange=exchange,
        trading_pair="BTC-USDT",
        config=full,
    )
    return to_yaml(file)


class Ear:
    """Keeps what a bot tells by itself."""

    def __init__(self) -> None:
        self.alive = 0
        self.logs: list[tuple[str, str, str]] = []
        self.reports: list[Mapping[str, Any]] = []

    def on_alive(self) -> None:
        self.alive += 1

    def on_log(self, level: str, logger: str, message: str, at_s: float) -> None:
        self.logs.append((level, logger, message))

    def on_report(self, report: Mapping[str, Any]) -> None:
        self.reports.append(report)


class OneBot:
    """A bot named maker.1 that trades BTC-USDT on `exchange`. `start` may be called again after its end."""

    def __init__(
        self, python: Path, folder: Path, port: int, exchange: ExchangeProcess, bridges: Bridges
    ) -> None:
        spot = {name: exchange.addresses[name] for name in ("REST_URL", "WSS_URL", "WSS_API_URL")}
        self.exchange = exchange
        self.root = folder / "root"
        self.ear = Ear()
        self.line: Line = bridges.line("maker.1", self.ear)
        self.process: Process | None = None
        self._python = python
        self._output = folder / "output.log"
        self._instance = Instance(
            name="maker.1",
            kind=V1,
            exchange="binance",
            broker=Broker(host="127.0.0.1", port=port),
            version=HUMMINGBOT_VERSION,
            constants={CONSTANTS: spot},
        )

    def make(self, file: str | None = None, **changes: Any) -> None:
        """Make its root folder."""
        instance = msgspec.structs.replace(self._instance, **changes)
        make_root(self.root, instance, maker_file() if file is None else file)

    def start(self, file: str | None = None, secrets: Secrets = SECRETS, **changes: Any) -> None:
        """Make its root folder and begin its process."""
        self.make(file, **changes)
        how = launch(self._python, self.root, secrets)
        self.process = begin(how.argv, how.env, secret=how.secret, output=self._output)

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def kill(self) -> None:
        """End it, if there is one, and let it go."""
        if self.process is not None:
            self.process.send(signal.SIGKILL)
            self.process.close()
            self.process = None

    async def ended(self) -> tuple[int | None, dict[str, Any]]:
        """Wait for its end; its exit code and last word."""
        assert self.process is not None
        assert await self.process.wait(PATIENCE_S), f"it did not end\n{self.output[-3000:]}"
        words = [line for line in self.output.splitlines() if line.startswith('{"exit"')]
        return self.process.exit_code, json.loads(words[-1]) if words else {}

    async def status(self) -> dict[str, Any]:
        """What it answers; empty while it cannot be heard."""
        try:
            return dict((await self.line.ask(Ask.STATUS, timeout_s=5)).data)
        except Unanswered:
            return {}

    async def until(self, is_so: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Wait until it says so."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not is_so(said := await self.status()):
            assert self.process is not None
            assert self.process.alive, f"{what}: it has ended\n{self.output[-3000:]}"
            assert asyncio.get_running_loop().time() < deadline, f"{what}: {said}\n{self.ear.logs[-20:]}"
            await asyncio.sleep(0.2)
        return said

    async def until_runs(self) -> dict[str, Any]:
        return await self.until(lambda said: said.get("runs"), "it runs")

    async def ask(self, what: Ask, data: Mapping[str, Any] | None = None) -> BridgeReply:
        return await self.line.ask(what, data, timeout_s=PATIENCE_S)

    @property
    def prices(self) -> dict[str, list[Decimal]]:
        """Prices of its open orders, as the exchange knows them."""
        found: dict[str, list[Decimal]] = {"BUY": [], "SELL": []}
        for order in self.exchange.orders(only_open=True):
            found[order["side"]].append(Decimal(order["price"]))
        return found

    async def until_prices(self, buy: str, sell: str) -> None:
        """Wait until there is one order on each side, at these prices."""
        wanted = {"BUY": [Decimal(buy)], "SELL": [Decimal(sell)]}
        await until(lambda: self.prices == wanted, PATIENCE_S)
