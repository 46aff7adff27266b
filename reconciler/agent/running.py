"""Which runner an agent runs its bots with, made from its settings."""

from __future__ import annotations

import random
import secrets

from reconciler.agent.hummingbot.credentials import load_credentials
from reconciler.agent.hummingbot.installed import Installed
from reconciler.agent.hummingbot.runner import HummingbotRunner
from reconciler.agent.install import hummingbot_python
from reconciler.agent.runner import Runner
from reconciler.agent.settings import AgentSettings
from reconciler.agent.simulated import SimulatedRunner
from reconciler.catalog import Catalog
from reconciler.errors import SettingsError
from reconciler.transport.address import PORTS, parse_address, split_url
from reconciler.transport.opening import open_transport

SIMULATED, HUMMINGBOT = "simulated", "hummingbot"
RUNNERS = (SIMULATED, HUMMINGBOT)


def make_runner(settings: AgentSettings, catalog: Catalog, rng: random.Random) -> Runner:
    """The runner that the settings name, not yet open.

    Raises:
        SettingsError: there is no such runner, or what it needs is missing.
    """
    if settings.runner == SIMULATED:
        return SimulatedRunner(start_delay_s=settings.start_delay_s, rng=rng)
    if settings.runner == HUMMINGBOT:
        return _hummingbot(settings, catalog)
    raise SettingsError(
        f"there is no runner {settings.runner!r}", fix=f"use --runner with one of {', '.join(RUNNERS)}"
    )


def _hummingbot(settings: AgentSettings, catalog: Catalog) -> HummingbotRunner:
    if split_url(settings.broker.url).scheme not in PORTS:
        raise SettingsError(
            "real bots need a broker that they can reach by its address",
            fix="set broker.url to mqtt://HOST:PORT, or use --runner simulated",
        )
    python = settings.bots.python or hummingbot_python(settings.folder, settings.hummingbot_version)
    if python is None:
        raise SettingsError(
            f"Hummingbot {settings.hummingbot_version} is not installed for this agent",
            fix="run: reconciler agent install  (with this agent's options before the word install)",
        )
    inside = Installed(
        python.absolute(),
        settings.bots,
        catalog=catalog,
        credentials=load_credentials(settings.bots.accounts_file, settings.accounts),
        transport=open_transport(
            settings.broker,
            client_id=f"{settings.name}-bots-{secrets.token_hex(3)}",
            state_dir=settings.shared_dir,
        ),
        address=parse_address(settings.broker),
        tls=settings.broker.tls,
        scope=f"{settings.root.replace('/', '.')}.{settings.name}",
    )
    return HummingbotRunner(settings.folder, catalog=catalog, inside=inside, options=settings.bots)
