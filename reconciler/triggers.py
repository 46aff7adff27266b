"""What calls for a pass: marks that coalesce, and the strategies that a new revision concerns."""

from __future__ import annotations

import asyncio

from reconciler.aio import wait_for_event
from reconciler.model.spec import Key
from reconciler.model.state import Desired

DEBOUNCE_S = 0.05
"""News of the bots within this time make one pass: an agent reports a change in two or three messages."""


class Triggers:
    """Marks of what calls for a pass; any number of them before it begins make one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._keys: set[Key] = set()
        self._whole = False
        self._timer: asyncio.TimerHandle | None = None

    def whole(self) -> None:
        """Everything needs a look."""
        self._whole = True
        self._event.set()

    def some(self, keys: set[Key]) -> None:
        """These strategies need a look."""
        self._keys |= keys
        self._event.set()

    def soon(self, keys: set[Key]) -> None:
        """As `some`, after a moment in which more may come."""
        self._keys |= keys
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DEBOUNCE_S, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._event.set()

    async def wait(self, timeout_s: float) -> None:
        """Until there is a mark; when time runs out, everything needs a look."""
        await wait_for_event(self._event, timeout_s)
        if not self._event.is_set():
            self._whole = True

    def take(self) -> frozenset[Key] | None:
        """The strategies to look at, None for all; clears the marks."""
        keys = None if self._whole else frozenset(self._keys)
        self._whole = False
        self._keys = set()
        self._event.clear()
        return keys


def changed_keys(before: Desired, after: Desired) -> set[Key]:
    """The strategies that two revisions want differently."""
    held = before.held ^ after.held
    if [*before.specs] == [*after.specs]:
        # As most commits leave it: nobody has to be looked up, which takes 4 ms for 10,000.
        pairs = zip(after.specs.items(), before.specs.values(), strict=True)
        return {key for (key, spec), old in pairs if spec is not old and spec != old} | held
    was = before.specs.get
    other = {key for key, spec in after.specs.items() if spec != was(key)}
    return other | (before.specs.keys() - after.specs.keys()) | held
