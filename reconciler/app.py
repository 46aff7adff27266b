"""Settings → the parts of a pass, opened and closed in the right order. Wiring only, no decisions."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import msgspec

from reconciler.desired import amend, make_desired
from reconciler.errors import SettingsError
from reconciler.fleet.client import FleetClient
from reconciler.fleet.commands import ControllerIdentity
from reconciler.model.spec import Key
from reconciler.model.state import Desired
from reconciler.notify.notifier import Notifier
from reconciler.plan.planner import PlanOptions
from reconciler.protocol.times import format_time
from reconciler.reconcile import Parts
from reconciler.settings.model import Settings, SourceSettings
from reconciler.sources.base import Revision
from reconciler.sources.loader import Loader, catalog_of, open_loader, state_dir
from reconciler.store.base import Store
from reconciler.store.sqlite import open_store
from reconciler.transport.factory import open_transport

FEW = 100
"""Changed files up to here are worth a short cut; more are a change of the fleet."""


class App(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a command or the service holds while it works."""

    settings: Settings
    parts: Parts
    loader: Loader

    @property
    def live(self) -> FleetClient:
        return self.parts.live

    def desired_of(self, revision: Revision) -> Desired:
        """What a revision wants.

        Raises:
            InvalidFiles: under `on_invalid: reject`, or nothing can be read from the tree.
        """
        return make_desired(
            revision.files,
            commit=revision.commit,
            ref=revision.ref,
            targets=self.settings.targets,
            on_invalid=self.settings.sync.on_invalid,
        )

    def amended(self, before: Desired, old: Revision, new: Revision) -> Desired:
        """What `new` wants, cheaply where it differs from `old` (of which `before` was made) in a few files.

        Raises:
            InvalidFiles: as `desired_of`.
        """
        if len(old.files) != len(new.files):
            return self.desired_of(new)
        pairs = zip(old.files, new.files, strict=True)
        touched = [(was, is_) for was, is_ in pairs if was is not is_ and was != is_]
        if len(touched) > FEW or any(len(was[1].specs) != 1 for was, _ in touched):
            return self.desired_of(new)  # a file that had several strategies may have lost one
        return amend(before, [is_ for _, is_ in touched], commit=new.commit) or self.desired_of(new)

    def options(
        self, *, adopt: frozenset[str] | bool = False, rejected: Mapping[Key, str] | None = None
    ) -> PlanOptions:
        """How to plan, as of now. `rejected`: spec hashes that bots refused for good."""
        return PlanOptions(
            owner=self.live.identity.owner,
            prune=self.settings.sync.prune,
            self_heal=self.settings.sync.self_heal,
            adopt=adopt,
            now_utc=format_time(datetime.now(UTC)),
            rejected=rejected or {},
        )


def owner_mark(source: SourceSettings) -> str:
    """The mark that says whose a strategy is: stable for one repository and path, and no address in clear."""
    return hashlib.sha256(f"{source.repository}\n{source.path}".encode()).hexdigest()[:16]


@contextlib.asynccontextmanager
async def open_app(
    settings: Settings, *, stop: asyncio.Event, performance: bool = False, logs: bool = False
) -> AsyncIterator[App]:
    """Open store, broker and pictures; close them whatever happens.

    Raises:
        StoreError, BrokerError: the part that cannot be had, with its cause.
        SettingsError, SchemaError: the settings ask for what there is not.
    """
    catalog = catalog_of(settings)
    loader = open_loader(settings, catalog)  # the first: a rule that names what there is not ends it here
    with contextlib.closing(open_store(settings.store.url)) as store:
        _check_roots(settings, store)
        live = make_client(settings, store)
        notifier = Notifier(
            live.notify, store, settings.notifications, default_target=next(iter(settings.targets))
        )
        try:
            await live.open(performance=performance, logs=logs, timeout_s=settings.broker.connect_timeout_s)
            yield App(
                settings=settings,
                loader=loader,
                parts=Parts(
                    live=live,
                    store=store,
                    catalog=catalog,
                    notifier=notifier,
                    sync=settings.sync,
                    stop=stop,
                ),
            )
            await notifier.close()
        finally:
            await live.close()


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


def make_client(settings: Settings, store: Store) -> FleetClient:
    """The link to the bots, not yet connected."""
    controller = f"ctl-{store.controller_id[:12]}"
    transport = open_transport(
        settings.broker, client_id=f"{controller}-{_process_mark()}", state_dir=state_dir(settings)
    )
    identity = ControllerIdentity(
        controller=controller,
        owner=owner_mark(settings.source),
        epoch=store.epoch,
        api_key=settings.broker.api_key,
        api_secret=settings.broker.api_secret,
    )
    return FleetClient(transport, settings.targets, identity)


def _process_mark() -> str:
    """Two processes of one controller (a service and a `plan`) must not evict each other at the broker."""
    return secrets.token_hex(3)
