"""What is in force, however polling and watching meet."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

from reconciler.catalog.loading import load_catalog
from reconciler.notify.notifier import Notifier
from reconciler.service import Service
from reconciler.settings.model import NotificationSettings, Settings
from reconciler.sources.base import Revision
from reconciler.sources.check import check
from reconciler.store.sqlite import open_store
from tests.support.repositories import strategy


class SlowLoader:
    """Gives one commit after the other; the first load ends only once a second one has had its chance."""

    def __init__(self) -> None:
        self.at_once = 0
        self.most_at_once = 0
        self.second = threading.Event()
        self._lock = threading.Lock()
        self._commits = iter(("older", "newer"))

    def load(self) -> Revision:
        with self._lock:
            commit = next(self._commits)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        if commit == "older":
            self.second.wait(0.2)
        else:
            self.second.set()
        with self._lock:
            self.at_once -= 1
        return Revision(
            commit, "main", (("s/mm.yaml", check(strategy().encode(), "s/mm.yaml", load_catalog())),)
        )


async def test_two_looks_at_once_never_leave_the_older_revision_in_force() -> None:
    store, loader, settings = open_store(":memory:"), SlowLoader(), Settings()

    async def publish(target: str, channel: str, payload: bytes) -> None:
        """Nobody listens."""

    service = Service(
        reconciler=cast("Any", None),
        fleet=cast("Any", None),
        store=store,
        notifier=Notifier(publish, store, NotificationSettings(channels=()), default_target="default"),
        loader=cast("Any", loader),
        settings=settings,
        stop=asyncio.Event(),
    )

    await asyncio.gather(service.look_at_source(), service.look_at_source())

    assert loader.most_at_once == 1
    assert service.desired is not None
    assert service.desired.commit == "newer"
