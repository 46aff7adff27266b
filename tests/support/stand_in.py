"""The backend of stand-in bots (tests/support/stand_in_bot.py): real processes and real MQTT, no Hummingbot."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.agent.hummingbot.bridge import REPLY_S, BotListener, Bridge, BridgeClient
from reconciler.agent.hummingbot.health import HealthLimits, RestartPolicy
from reconciler.agent.hummingbot.launch import Launch
from reconciler.agent.hummingbot.options import BotOptions, Timeouts
from reconciler.agent.hummingbot.runner import HummingbotRunner
from reconciler.agent.model import Strategy
from reconciler.catalog.loading import load_catalog
from reconciler.catalog.mapping import to_hummingbot
from reconciler.settings.model import BrokerSettings
from reconciler.transport.factory import open_transport

PROGRAM = Path(__file__).parent / "stand_in_bot.py"
NAMESPACE = "hbot"


class StandIns:
    """Starts stand-in bots (launch.BotBackend). `moods`: by name, how a bot is to misbehave from its start."""

    def __init__(self, url: str, moods: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._url = url
        self.moods = dict(moods or {})
        self.launches: list[str] = []
        self._client = BridgeClient(
            open_transport(BrokerSettings(url=url), client_id=f"runner-{os.urandom(4).hex()}"), NAMESPACE
        )

    @property
    def connected(self) -> bool:
        return self._client.connected

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    def prepare(self, root: Path, strategy: Strategy, *, paused: bool) -> Launch:
        root.mkdir(parents=True, exist_ok=True)
        self.rewrite(root, strategy)
        (root / "mood.json").write_text(json.dumps(self.moods.get(strategy.name, {})))
        self.launches.append(strategy.name)
        order = {
            "url": self._url,
            "namespace": NAMESPACE,
            "instance": _instance(strategy.name),
            "paused": paused,
        }
        return Launch(
            argv=(sys.executable, "-W", "error", str(PROGRAM), str(root)),
            env={"PYTHONPATH": str(PROGRAM.parent.parent), "PATH": os.environ["PATH"]},
            secret=json.dumps(order).encode(),
        )

    def rewrite(self, root: Path, strategy: Strategy) -> None:
        file = to_hummingbot(
            load_catalog(),
            strategy.strategy_type,
            name=strategy.name,
            exchange=strategy.exchange,
            trading_pair=strategy.trading_pair,
            config=load_catalog().with_defaults(strategy.strategy_type, strategy.config),
        )
        (root / "strategy.json").write_text(json.dumps(dict(file.data), default=float))

    def connect(self, name: str, listener: BotListener) -> Bridge:
        return self._client.connect(_instance(name), name, listener)

    async def mood(self, name: str, **mood: Any) -> dict[str, Any]:
        """Change a living bot's mood."""
        return await self._client.request(_instance(name), "mood", mood, REPLY_S)


def _instance(name: str) -> str:
    return f"{name}@tests"


QUICK = BotOptions(
    starts_at_once=8,
    least_free=1,
    limits=HealthLimits(silent_s=60.0, strategy_s=3.0, ready_s=3.0, lost_s=3.0),
    restarts=RestartPolicy(limit=3, first_s=0.05, longest_s=0.1),
    timeouts=Timeouts(
        check_s=0.2, poll_s=0.05, terminate_s=20.0, kill_s=10.0, cancel_s=0.5, reconfigure_s=1.0
    ),
)
"""Short where a test waits for the end of it, long where a busy machine must not fail it."""


def stand_in_runner(state_dir: Path, backend: StandIns, options: BotOptions = QUICK) -> HummingbotRunner:
    return HummingbotRunner(state_dir, catalog=load_catalog(), backend=backend, options=options)
