"""A team whose agent runs real Hummingbot on the exchange for tests: what tests of real bots begin with."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.exchange.process import ExchangeProcess
from tests.oracle import controllers, python
from tests.support.cli_project import COMMAND, Project, clean_environment

PATIENCE_S = 240.0
"""A real bot needs 12 s to come up, on a busy machine several times that."""

BINANCE = "hummingbot.connector.exchange.binance.binance_constants"
PERPETUAL = "hummingbot.connector.derivative.binance_perpetual.binance_perpetual_constants"
OURS = Path(__file__).parents[1] / "controllers"


class RealBots:
    """A project, its agent's folder, and the exchange that its bots trade on."""

    def __init__(self, project: Project, exchange: ExchangeProcess, code: Path = OURS) -> None:
        self.project = project
        self.exchange = exchange
        self.state = project.folder / "agent-state"
        self._code = code
        self._endpoints = project.folder / "endpoints.json"
        spot = {name: exchange.addresses[name] for name in ("REST_URL", "WSS_URL", "WSS_API_URL")}
        perpetual = {name: exchange.addresses[name] for name in ("PERPETUAL_BASE_URL", "PERPETUAL_WS_URL")}
        self._endpoints.write_text(json.dumps({BINANCE: spot, PERPETUAL: perpetual}))
        self._accounts = project.folder / "accounts.yaml"
        keys = {"api_key": "test-key", "api_secret": "test-secret"}
        held = {"default": {"binance": keys, "binance_perpetual": keys}}
        self._accounts.write_text(json.dumps({"accounts": held}))
        self._accounts.chmod(0o600)
        (project.folder / ".gitignore").write_text(
            ".reconciler/\nagent-state/\naccounts.yaml\nendpoints.json\n"
        )

    def agent(self) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        """The agent during the block; its bots outlive it, as they should: `end_bots` ends them."""
        return self.project.beside(
            *("agent", "--runner", "hummingbot", "--root", self.project.root, "--heartbeat", "1"),
            *("--state-dir", str(self.state), "--hummingbot-python", str(python())),
            *("--controllers", str(self._code), "--accounts-file", str(self._accounts)),
            *("--endpoints", str(self._endpoints)),
        )

    def write(self, name: str, text: str) -> None:
        (self.project.folder / "strategies" / f"{name}.yaml").write_text(text)
        self.project.commit(name)

    def sync(self, code: int = 0) -> dict[str, Any]:
        """`reconciler apply` until it has nothing more to do."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                document: dict[str, Any] = self.project.json("apply", "--yes")
            except subprocess.TimeoutExpired:
                document = {"exit_code": None, "said": "it took too long"}
            if document["exit_code"] == code:
                return document
            assert time.monotonic() < deadline, json.dumps(document)[:3000]
            time.sleep(1)

    def use_schemas(self, folder: str) -> None:
        """Check files also against the schemas in `folder`; the agent does so too."""
        settings = self.project.folder / "reconciler.yaml"
        settings.write_text(f"schemas: {folder}\n{settings.read_text()}")

    @contextlib.contextmanager
    def applying(self) -> Iterator[None]:
        """`reconciler apply` during the block; how it ends is no matter, the next one repairs it."""
        child = subprocess.Popen(
            [*COMMAND, "apply", "--yes"],
            cwd=self.project.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            child.terminate()
            child.wait(PATIENCE_S)

    def until_under_way(self, moment: str) -> None:
        """Wait until the agent works on it: a new bot has a process, an update or a stop was a moment ago."""
        if moment == "create":
            self.exchange.until(lambda: self.process("mm") is not None, "a process", PATIENCE_S)
        time.sleep(1.0)

    # -- what there is

    def prices(self, pair: str = "BTC-USDT") -> dict[str, list[Decimal]]:
        """The prices of the open orders, by side."""
        found: dict[str, list[Decimal]] = {"BUY": [], "SELL": []}
        for order in self.exchange.orders(only_open=True):
            if order["pair"] == pair:
                found[order["side"]].append(Decimal(order["price"]))
        return found

    def until_prices(self, is_so: Callable[[dict[str, list[Decimal]]], bool], what: str) -> None:
        self.exchange.until(lambda: is_so(self.prices()), what, PATIENCE_S)

    def process(self, name: str) -> int | None:
        """The process that runs a bot."""
        root = str(self.state / "bots" / name / "root")
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and root in (entry / "cmdline").read_bytes().decode().split("\0"):
                    return int(entry.name)
        return None

    def errors(self, name: str) -> list[str]:
        """Every line of a bot's logs that reports an error."""
        logs = sorted((self.state / "bots" / name / "root" / "logs").glob("*.log*"))
        lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
        return [line for line in lines if re.search(r" - (ERROR|CRITICAL) - |^Traceback ", line)]

    def archives(self, name: str) -> list[Path]:
        return sorted((self.state / "archive").glob(f"{name}-*"))

    def end_bots(self) -> None:
        """Nothing that a failing test began may stay."""
        mark = re.compile(re.escape(str(self.state)))
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and mark.search((entry / "cmdline").read_bytes().decode()):
                    os.kill(int(entry.name), 9)


@contextlib.contextmanager
def real_bots(folder: Path, broker: str, root: str, code: Path = OURS) -> Iterator[RealBots]:
    """All of it, and nothing left behind."""
    with ExchangeProcess() as exchange:
        team = RealBots(Project(folder, broker, root), exchange, code)
        try:
            yield team
        finally:
            team.end_bots()


def community_controllers() -> Path | None:
    """The folder of controllers of a Hummingbot checkout, if there is one."""
    return controllers()
