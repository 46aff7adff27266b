"""What `plan`, `apply` and `status` have in common: read Git and look at the bots. Sends nothing."""

from __future__ import annotations

import asyncio
import gc

from reconciler.app import App
from reconciler.cli.progress import waiting
from reconciler.desired import desired_of
from reconciler.model.state import Desired
from reconciler.settings.model import Settings

HEAD_START_S = 1.0
"""How long agents may report before this process reads files: a broker drops what a busy reader leaves in its queue."""

SELDOM = (100_000, 10, 10)
"""For `gc.set_threshold`: looking through a fleet of 10,000 for garbage takes 15 ms each time, and a command gives
back all that it holds at its end."""


async def look(app: App, wait_s: float | None) -> Desired:
    """Take what is wanted while the picture of the bots comes in, for at most `wait_s`.

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
