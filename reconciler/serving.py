"""
`reconciler run`: one session after the other, until told to stop.

New settings mean a new session; a broker that is out of reach is waited for; what trying again does not mend ends it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from reconciler.aio import background, first_of, wait_for_event
from reconciler.app import open_app
from reconciler.errors import BrokerError, BrokerRefused, SchemaError, SettingsError
from reconciler.redact import masked_url
from reconciler.service import AGAIN_S, Service
from reconciler.settings.model import Settings
from reconciler.sources.loader import catalog_of, open_loader

log = logging.getLogger("reconciler")


async def serve(read_settings: Callable[[], Settings], *, stop: asyncio.Event, reload: asyncio.Event) -> None:
    """Run the service until `stop`; at `reload` finish the step in flight and go on with new settings.

    Raises:
        SettingsError, SchemaError: at the start; later, wrong settings are logged and the old ones stay.
        BrokerRefused, StoreError: what trying again does not mend.
    """
    settings = _checked(read_settings())
    while not stop.is_set():
        reload.clear()
        leave = asyncio.Event()
        async with background(_set_when(leave, stop, reload)):
            await _serve_once(settings, leave)
        if reload.is_set():
            settings = _reread(read_settings, settings)


async def _set_when(leave: asyncio.Event, *causes: asyncio.Event) -> None:
    await first_of(*(cause.wait() for cause in causes))
    leave.set()


def _reread(read_settings: Callable[[], Settings], old: Settings) -> Settings:
    try:
        settings = _checked(read_settings())
    except (SettingsError, SchemaError) as error:
        log.warning("settings not reloaded: %s", error)
        return old
    log.info("settings reloaded")
    return settings


def _checked(settings: Settings) -> Settings:
    """`settings`, if all that they name is there.

    Raises:
        SettingsError, SchemaError: it is not.
    """
    open_loader(settings, catalog_of(settings))
    return settings


def _what_it_does(settings: Settings) -> str:
    """A first line for whoever looks at the log of a fleet in which nothing happens."""
    source = settings.source
    revision = "the files" if source.worktree else source.ref
    where = f"{source.path or '.'} in {masked_url(source.repository)}"
    does = "" if settings.sync.auto else "; sync.auto is off: nothing is changed"
    return f"connected to {masked_url(settings.broker.url)}; following {revision} of {where}{does}"


async def _serve_once(settings: Settings, leave: asyncio.Event) -> None:
    """One session; a broker that is out of reach is waited for, with backoff."""
    pause_s = AGAIN_S[0]
    while not leave.is_set():
        try:
            async with open_app(settings, stop=leave) as session:
                log.info("%s", _what_it_does(settings))
                await Service(session).run()
        except BrokerRefused:
            raise
        except BrokerError as error:
            log.warning("%s; next try in %.0f s", error, pause_s)
            await wait_for_event(leave, pause_s)
            pause_s = min(AGAIN_S[1], pause_s * 2)
