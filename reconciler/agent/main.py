"""From settings to a running agent: the one door for whoever starts one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets

from reconciler.agent.arrival import Arrival
from reconciler.agent.journal import Journal
from reconciler.agent.running import make_runner
from reconciler.agent.serving import Agent, Parts
from reconciler.agent.settings import AgentSettings
from reconciler.agent.telling import CAPABILITIES, SIGNATURES, Voice
from reconciler.catalog import Catalog
from reconciler.catalog.packaged import load_catalog
from reconciler.errors import SettingsError
from reconciler.protocol.topics import Topics, is_name
from reconciler.transport.base import Transport, Will
from reconciler.transport.opening import open_transport

__all__ = ["AgentSettings", "run_agent"]


async def run_agent(settings: AgentSettings, *, stop: asyncio.Event) -> None:
    """Be an agent until `stop` is set.

    Raises:
        SettingsError: a name, root or runner that cannot be.
        StoreError: another agent holds the state folder, or it cannot be used.
        BrokerError: the broker is out of reach at the start, refused us, or another agent is there.
    """
    _check(settings)
    catalog = load_catalog(settings.hummingbot_version, settings.schemas)
    rng = random.Random(settings.seed)  # noqa: S311  (chance of a simulation)
    runner = make_runner(settings, catalog, rng)
    with contextlib.closing(Journal(settings.folder)) as journal:
        voice = _voice(settings, catalog)
        leftovers = await _arrive(settings, voice.session, stop)
        if leftovers is None:
            return
        parts = Parts(
            catalog=catalog,
            journal=journal,
            runner=runner,
            transport=_transport(settings, voice),
            voice=voice,
            rng=rng,
        )
        await Agent(settings, parts).run(stop, leftovers)


def _check(settings: AgentSettings) -> None:
    if not is_name(settings.name):
        raise SettingsError(f"{settings.name!r} cannot name an agent", fix="use letters, digits, . _ and -")
    try:
        Topics(settings.root)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _voice(settings: AgentSettings, catalog: Catalog) -> Voice:
    return Voice(
        agent=settings.name,
        session=secrets.token_hex(8),
        capabilities=(*CAPABILITIES, *((SIGNATURES,) if settings.api_keys else ())),
        strategy_types=sorted(catalog.types),
        heartbeat_s=settings.heartbeat_s,
    )


async def _arrive(settings: AgentSettings, session: str, stop: asyncio.Event) -> set[str] | None:
    """Look around first; None if asked to stop meanwhile."""
    scout = open_transport(
        settings.broker, client_id=f"{settings.name}-look-{session[:6]}", state_dir=settings.shared_dir
    )
    look = asyncio.create_task(Arrival(scout, Topics(settings.root), settings.name).look_around())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({look, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return look.result() if look.done() else None
    finally:
        for task in (look, stopped):
            task.cancel()
        await asyncio.gather(look, stopped, return_exceptions=True)


def _transport(settings: AgentSettings, voice: Voice) -> Transport:
    """The agent's own connection; its client id is new each time, so that a dying connection evicts nobody."""
    topic = Topics(settings.root).presence(settings.name)
    return open_transport(
        settings.broker,
        client_id=f"{settings.name}-{voice.session[:6]}",
        will=Will(topic, voice.farewell(), qos=1, retain=True),
        state_dir=settings.shared_dir,
    )
