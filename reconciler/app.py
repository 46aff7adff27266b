"""
The composition root: settings → the parts of the product, opened and closed in order. Wiring, no decisions.

`open_app` is for a command that makes one pass; `serve` is `reconciler run`: one app after the other, until it is
stopped. New settings mean a new app; a broker that is out of reach is waited for; what trying again does not repair ends
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable

import msgspec

from reconciler.aio import background, first_of, wait_for_event
from reconciler.catalog import Catalog
from reconciler.errors import BrokerError, BrokerRefused, SchemaError, SettingsError
from reconciler.fleet.client import FleetClient
from reconciler.fleet.commands import ControllerIdentity
from reconciler.notify.notifier import Notifier
from reconciler.reconcile import Reconciler
from reconciler.redact import masked_url
from reconciler.service import RETRY_S, Service
from reconciler.settings.model import Settings, SourceSettings
from reconciler.sources.loader import Loader, catalog_of, open_loader, state_dir
from reconciler.store.base import Store
from reconciler.store.sqlite import open_store
from reconciler.transport.factory import ReadBroker, open_transport

log = logging.getLogger("reconciler")


class App(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a command or the service holds while it works. `stop`: set when the process is to leave."""

    settings: Settings
    catalog: Catalog
    loader: Loader
    store: Store
    fleet: FleetClient
    notifier: Notifier
    reconciler: Reconciler
    stop: asyncio.Event


@contextlib.asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    stop: asyncio.Event,
    performance: bool = False,
    logs: bool = False,
    read_broker: ReadBroker | None = None,
) -> AsyncIterator[App]:
    """Open store, broker and pictures; close them whatever happens. `read_broker`: see `open_transport`.

    Raises:
        StoreError, BrokerError: the part that cannot be had, with its cause.
        SettingsError, SchemaError: the settings ask for what there is not.
    """
    catalog = catalog_of(settings)
    loader = open_loader(settings, catalog)  # the first: a rule that names what there is not ends it here
    with contextlib.closing(open_store(settings.store.url)) as store:
        _check_roots(settings, store)
        fleet = open_fleet(settings, store, read_broker)
        notifier = Notifier(
            fleet.notify, store, settings.notifications, default_target=next(iter(settings.targets))
        )
        try:
            await fleet.open(performance=performance, logs=logs, timeout_s=settings.broker.connect_timeout_s)
            yield App(
                settings=settings,
                catalog=catalog,
                loader=loader,
                store=store,
                fleet=fleet,
                notifier=notifier,
                reconciler=Reconciler(fleet, store, catalog, notifier, settings.sync, stop=stop),
                stop=stop,
            )
            await notifier.close()
        finally:
            await fleet.close()


def _check_roots(settings: Settings, store: Store) -> None:
    """Refuse a root that is another than the one below which our strategies run: under the new one a stranger's bot of
    the same name would pass for ours, and ours would go on unseen.

    Raises:
        SettingsError: with the root that was.
    """
    for name, target in settings.targets.items():
        before = store.keep_root(name, target.root)
        if before != target.root:
            ours = sum(key.target == name for key in store.inventory())
            raise SettingsError(
                f"targets.{name}.root: {target.root!r}, but {ours} of our strategies run below {before!r}",
                fix=f"set it back to {before}; for other bots use another target's name, or another store.url",
            )


def open_fleet(settings: Settings, store: Store, read_broker: ReadBroker | None = None) -> FleetClient:
    """The client to the bots, not yet connected."""
    controller = f"ctl-{store.controller_id[:12]}"
    # Two processes of one controller (a service and a `plan`) must not evict each other at the broker.
    client_id = f"{controller}-{secrets.token_hex(3)}"
    identity = ControllerIdentity(
        controller=controller,
        owner=owner_mark(settings.source),
        epoch=store.epoch,
        api_key=settings.broker.api_key,
        api_secret=settings.broker.api_secret,
    )
    transport = open_transport(
        settings.broker, client_id=client_id, state_dir=state_dir(settings), read_broker=read_broker
    )
    return FleetClient(transport, settings.targets, identity)


def owner_mark(source: SourceSettings) -> str:
    """The mark that says whose a strategy is: stable for one repository and path, and no address in clear."""
    return hashlib.sha256(f"{source.repository}\n{source.path}".encode()).hexdigest()[:16]


# -- reconciler run


async def serve(
    read_settings: Callable[[], Settings],
    *,
    stop: asyncio.Event,
    reload: asyncio.Event,
    read_broker: ReadBroker | None = None,
) -> None:
    """Run the service until `stop`; at `reload` finish the step in flight and go on with new settings.

    `read_broker`: see `open_transport`.

    Raises:
        SettingsError, SchemaError: at the start; later, wrong settings are logged and the old ones stay.
        BrokerRefused: at the start; after a reload it is retried, and the next reload may bring what is missing.
        StoreError: what trying again does not repair.
    """
    settings = _checked(read_settings())
    started = False
    while not stop.is_set():
        reload.clear()
        leave = asyncio.Event()

        async def leave_when_asked(leave: asyncio.Event = leave) -> None:
            await first_of(stop.wait(), reload.wait())
            leave.set()

        async with background(leave_when_asked()):
            await _serve_once(settings, leave, started=started, read_broker=read_broker)
            started = True
        if reload.is_set():
            try:
                settings = _checked(read_settings())
                log.info("settings reloaded")
            except (SettingsError, SchemaError) as error:
                log.warning("settings not reloaded: %s", error)


def _checked(settings: Settings) -> Settings:
    """`settings`, if all that they name is there.

    Raises:
        SettingsError, SchemaError: it is not.
    """
    open_loader(settings, catalog_of(settings))
    return settings


async def _serve_once(
    settings: Settings, leave: asyncio.Event, *, started: bool, read_broker: ReadBroker | None
) -> None:
    """Run one app; a broker that is out of reach is waited for, with backoff. `started`: so is one that refuses."""
    pause_s = RETRY_S[0]
    while not leave.is_set():
        try:
            async with open_app(settings, stop=leave, read_broker=read_broker) as app:
                log.info("%s", _first_line(settings))
                await make_service(app).run()
        except BrokerError as error:
            if isinstance(error, BrokerRefused) and not started:
                raise
            log.warning("%s; next try in %.0f s", error, pause_s)
            await wait_for_event(leave, pause_s)
            pause_s = min(RETRY_S[1], pause_s * 2)


def make_service(app: App) -> Service:
    """The control loop over the parts of `app`."""
    return Service(
        reconciler=app.reconciler,
        fleet=app.fleet,
        store=app.store,
        notifier=app.notifier,
        loader=app.loader,
        settings=app.settings,
        stop=app.stop,
    )


def _first_line(settings: Settings) -> str:
    """What a reader of the log needs to know of a fleet in which nothing happens."""
    source = settings.source
    revision = "the files" if source.worktree else source.ref
    where = f"{source.path or '.'} in {masked_url(source.repository)}"
    does = "" if settings.sync.auto else "; sync.auto is off: nothing is changed"
    return f"connected to {masked_url(settings.broker.url)}; following {revision} of {where}{does}"
