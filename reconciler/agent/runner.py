"""What the agent needs of whatever runs bots. tests/contract/test_runner.py holds every runner to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from reconciler.agent.model import ConfigChanged, StateChanged, Strategy
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import LogRecord, Performance

Event: TypeAlias = StateChanged | ConfigChanged | LogRecord
"""What a bot does by itself. What it does on command is said by the command's return, not by an event."""

Listener: TypeAlias = Callable[[Event], None]
"""Called in the loop's thread; quick, and never raises."""


class Runner(Protocol):
    """Runs bots, one for each strategy name.

    Every command returns when it has taken effect. It raises CommandRejected (code and message for the wire)
    when it has not, and then, as when it is cancelled, it leaves the bot as it was. One command at a time is
    given for one name, but a `stop` may follow the cancellation of any other.
    """

    async def open(self, listener: Listener) -> None:
        """Begin; events go to `listener`."""

    async def close(self) -> None:
        """Let go without stopping bots that can live on; nothing is heard of them from here."""

    async def find(self) -> Mapping[str, Lifecycle]:
        """Bots that are up, also those that an earlier process started: RUNNING or PAUSED."""

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        """Bring a bot up; it trades on return, or waits with no order placed if `paused`.

        ALREADY_RUNNING: there is one of that name.
        """

    async def stop(self, name: str) -> None:
        """Cancel its orders and bring it down; a bot that is not up is stopped."""

    async def pause(self, name: str) -> None:
        """Cancel its orders and halt it; it stays up. INVALID_STATE: it is not up."""

    async def resume(self, name: str) -> None:
        """Let it go on. INVALID_STATE: it is not up."""

    async def apply(self, strategy: Strategy) -> None:
        """Make a bot that is up take `strategy.config`, hot fields only. INVALID_STATE: it is not up."""

    async def delete(self, name: str) -> None:
        """Remove what is kept for a bot that is not up; nothing kept is deleted already."""

    def performance(self, name: str) -> Performance | None:
        """Its figures as last known; None for a bot that is not up, or has none yet."""
