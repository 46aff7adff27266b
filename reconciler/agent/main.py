"""From settings to a running agent: the composition root of the agent."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets

from reconciler.agent.agent import Agent, AgentComponents
from reconciler.agent.discovery import Discovery
from reconciler.agent.faults import Faults, FaultyRunner, FaultyTransport, FaultyValidator
from reconciler.agent.hummingbot.credentials import load_credentials
from reconciler.agent.hummingbot.launch import HummingbotBackend
from reconciler.agent.hummingbot.runner import HummingbotRunner
from reconciler.agent.install.environment import hummingbot_python
from reconciler.agent.journal import Journal
from reconciler.agent.model import CAPABILITIES, SIGNATURES, AgentSession
from reconciler.agent.runner import Runner
from reconciler.agent.settings import AgentSettings
from reconciler.agent.simulated.runner import SimulatedRunner
from reconciler.agent.validation import Validator
from reconciler.catalog import Catalog
from reconciler.catalog.loading import load_catalog
from reconciler.errors import SettingsError
from reconciler.model.spec import is_name
from reconciler.protocol.topics import Topics
from reconciler.transport.address import PORTS, parse_address, split_url
from reconciler.transport.base import Will
from reconciler.transport.factory import ReadBroker, open_transport

__all__ = ["AgentSettings", "run_agent"]

SIMULATED, HUMMINGBOT = "simulated", "hummingbot"
RUNNERS = (SIMULATED, HUMMINGBOT)


async def run_agent(
    settings: AgentSettings, *, stop: asyncio.Event, read_broker: ReadBroker | None = None
) -> None:
    """Run an agent until `stop` is set. `read_broker`: see `open_transport`.

    Raises:
        SettingsError: a name, root or runner that cannot be.
        StoreError: another agent holds the state folder, or it cannot be used.
        BrokerError: the broker is out of reach at the start, refused us, or another agent is there.
    """
    if not is_name(settings.name):
        raise SettingsError(f"{settings.name!r} cannot name an agent", fix="use letters, digits, . _ and -")
    try:
        topics = Topics(settings.root)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    catalog = load_catalog(settings.hummingbot_version, settings.schemas)
    rng = random.Random(settings.seed)  # noqa: S311  (chance of a simulation)
    runner = make_runner(settings, catalog, rng, read_broker)
    with contextlib.closing(Journal(settings.folder)) as journal:
        session = AgentSession(
            agent=settings.name,
            session=secrets.token_hex(8),
            capabilities=(*CAPABILITIES, *((SIGNATURES,) if settings.api_keys else ())),
            strategy_types=sorted(catalog.types),
            heartbeat_s=settings.heartbeat_s,
        )
        stale = await _discover(settings, topics, session, stop)
        if stale is None:
            return
        transport = open_transport(
            settings.broker,
            client_id=f"{settings.name}-{session.session[:6]}",  # new each time: it evicts no connection that ends
            will=Will(topics.presence(settings.name), session.offline(), qos=1, retain=True),
            state_dir=settings.shared_dir,
            read_broker=read_broker,
        )
        validator = Validator(catalog=catalog, accounts=frozenset(settings.accounts))
        if settings.runner == SIMULATED:
            faults = settings.faults
            transport = FaultyTransport(transport, topics, faults, rng)
            validator = FaultyValidator(catalog=catalog, accounts=validator.accounts, faults=faults)
        components = AgentComponents(
            validator=validator, journal=journal, runner=runner, transport=transport, session=session
        )
        await Agent(settings, components).run(stop, stale)


async def _discover(
    settings: AgentSettings, topics: Topics, session: AgentSession, stop: asyncio.Event
) -> set[str] | None:
    """Return the names of stale retained statuses; None if asked to stop meanwhile."""
    transport = open_transport(
        settings.broker,
        client_id=f"{settings.name}-look-{session.session[:6]}",
        state_dir=settings.shared_dir,
    )
    look = asyncio.create_task(Discovery(transport, topics, settings.name).run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({look, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return look.result() if look.done() else None
    finally:
        for task in (look, stopped):
            task.cancel()
        await asyncio.gather(look, stopped, return_exceptions=True)


def make_runner(
    settings: AgentSettings, catalog: Catalog, rng: random.Random, read_broker: ReadBroker | None = None
) -> Runner:
    """Build the runner that the settings name, not yet open. `read_broker`: see `open_transport`.

    Raises:
        SettingsError: there is no such runner, or what it needs is missing.
    """
    if settings.runner == SIMULATED:
        simulated = SimulatedRunner(start_delay_s=settings.start_delay_s, rng=rng)
        return FaultyRunner(simulated, settings.faults, rng)
    if settings.runner != HUMMINGBOT:
        raise SettingsError(
            f"there is no runner {settings.runner!r}", fix=f"use --runner with one of {', '.join(RUNNERS)}"
        )
    if settings.faults != Faults():
        raise SettingsError("faults are for simulated bots only", fix="use --runner simulated, or no --fault")
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
    backend = HummingbotBackend(
        python.absolute(),
        settings.bots,
        catalog=catalog,
        credentials=load_credentials(settings.bots.accounts_file, settings.accounts),
        transport=open_transport(
            settings.broker,
            client_id=f"{settings.name}-bots-{secrets.token_hex(3)}",
            state_dir=settings.shared_dir,
            read_broker=read_broker,
        ),
        address=parse_address(settings.broker),
        tls=settings.broker.tls,
        scope=f"{settings.root.replace('/', '.')}.{settings.name}",
    )
    return HummingbotRunner(settings.folder, catalog=catalog, backend=backend, options=settings.bots)
