"""The settings of one agent, as values: importing them imports no runner. The command line reads them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from reconciler.agent.faults import Faults
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.catalog.loading import HUMMINGBOT_VERSION
from reconciler.model.spec import DEFAULT_ACCOUNT
from reconciler.settings.model import BrokerSettings


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`state_dir` None: `.reconciler/agent/<name>`. `shared_dir`: where an `embedded:` broker keeps its address,
    the controller's state folder; None: `.reconciler`. `api_keys`: api_key → api_secret; with any, every command
    must be signed. `hummingbot_version`: whose schemas count; `schemas`: a folder with more of them.
    `bots`: settings of real bots. `accounts`: names of the credentials profiles held. `seed`: of the simulation, None
    for a random one. Times in seconds: `start_delay_s` of a simulated bot; `command_timeout_s` for a runner's longest command.
    """

    name: str = "agent"
    root: str = "hummingbot"
    broker: BrokerSettings = BrokerSettings()
    state_dir: Path | None = None
    shared_dir: Path | None = None
    runner: str = "simulated"
    hummingbot_version: str = HUMMINGBOT_VERSION
    schemas: Path | None = None
    bots: BotOptions = BotOptions()
    accounts: tuple[str, ...] = (DEFAULT_ACCOUNT,)
    api_keys: dict[str, str] = {}
    heartbeat_s: float = 10.0
    performance_interval_s: float = 5.0
    start_delay_s: float = 0.3
    command_timeout_s: float = 60.0
    faults: Faults = msgspec.field(default_factory=Faults)
    seed: int | None = None

    @property
    def folder(self) -> Path:
        """Where the agent keeps its state."""
        return self.state_dir or Path(".reconciler/agent") / self.name
