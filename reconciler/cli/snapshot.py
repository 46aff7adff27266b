"""A snapshot of Git and of the bots, for `plan`, `apply` and `status`. Sends no command."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime

from reconciler.app import App, open_app
from reconciler.cli.output import note
from reconciler.cli.render.status import StatusInput, StatusRow, status_rows
from reconciler.cli.terminal import waiting
from reconciler.desired import desired_of
from reconciler.errors import InvalidFiles, SourceError
from reconciler.fleet.client import FleetClient
from reconciler.model.change import Plan
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Lifecycle
from reconciler.protocol.messages import Performance
from reconciler.settings.model import Settings

FIGURES_S = 6.0
"""How long `status` waits for performance: agents send each strategy's every 5 s."""

LOOK_EVERY_S = 0.1

HEAD_START_S = 1.0
"""How long agents may report before this process reads files: a broker drops what a busy reader leaves in its queue."""

SELDOM = (100_000, 10, 10)
"""For `gc.set_threshold`: a search for garbage in a fleet of 10,000 takes 15 ms each time, 45 ms of a warm plan
(benchmarks.cold_plan); a command gives back all that it holds at its end."""


async def load_and_settle(app: App, wait_s: float | None) -> Desired:
    """Load the desired state while the picture of the bots comes in, for at most `wait_s`.

    None waits until the silence of a Basic peer means something (protocol.md, `basic_window`).

    Raises:
        SourceError, InvalidFiles: Git gives no revision, or one that is wrong; then the bots are waited for no longer.
    """
    gc.set_threshold(*SELDOM)
    patience_s = patience_of(app.settings) if wait_s is None else wait_s
    settling = asyncio.ensure_future(app.fleet.settle(patience_s))
    try:
        await asyncio.wait({settling}, timeout=HEAD_START_S)
        desired = desired_of(await asyncio.to_thread(app.loader.load), app.settings)
        with waiting("waiting for the bots: not all have reported yet …"):
            await settling
    finally:
        settling.cancel()
    return desired


def patience_of(settings: Settings) -> float:
    """The longest `basic_window`, and a second for the way."""
    return max(target.basic_window_s for target in settings.targets.values()) + 1.0


async def take_snapshot(
    settings: Settings, wait_s: float | None, *, quick: bool
) -> tuple[Plan, list[StatusRow]]:
    """The plan that would be made now, and a row for each strategy.

    Raises:
        ReconcilerError: the broker is out of reach, or nothing is known of what is wanted.
    """
    async with open_app(settings, stop=asyncio.Event(), performance=True) as app:
        desired = await _desired(app, wait_s)
        if not quick:
            await _wait_for_performance(app.fleet)
        observed = app.fleet.observe()
        plan = app.reconciler.plan(desired, app.reconciler.options())

        def figures(key: Key) -> Performance | None:
            return app.fleet.state(key.target).performance(key.name) if key.target in observed else None

        return plan, status_rows(StatusInput(plan, desired, observed, figures, datetime.now(UTC)))


async def _desired(app: App, wait_s: float | None) -> Desired:
    """What Git wants; if it cannot be read or is wrong, what was last in force, and a note that says so."""
    try:
        return await load_and_settle(app, wait_s)
    except (SourceError, InvalidFiles) as error:
        last = app.store.last_good()
        if last is None:
            raise
        note(f"note: {error}; compared with {last.commit[:7]}, which is in force")
    await app.fleet.settle(patience_of(app.settings) if wait_s is None else wait_s)
    return last


async def _wait_for_performance(fleet: FleetClient) -> None:
    """Wait until every running strategy has reported its performance, at most FIGURES_S."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + FIGURES_S
    with waiting("waiting for performance figures …"):
        while clock() < deadline:
            missing = any(
                fleet.state(target).performance(name) is None
                for target, view in fleet.observe().items()
                for name, seen in view.strategies.items()
                if seen.state is Lifecycle.RUNNING
            )
            if not missing:
                return
            await asyncio.sleep(LOOK_EVERY_S)
