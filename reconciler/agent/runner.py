"""What the agent requires of everything that runs bots. tests/contract/test_runner.py holds every runner to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from reconciler.agent.model import ConfigChanged, StateChanged, Strategy
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import LogRecord, Performance

BotEvent: TypeAlias = StateChanged | ConfigChanged | LogRecord
"""What a bot does without a command. The result of a command is the return of its method, never an event."""

EventListener: TypeAlias = Callable[[BotEvent], None]
"""Called in the loop's thread; quick, and never raises."""


class Runner(Protocol):
    """Runs bots, one for each strategy name.

    Every command returns when it has taken effect. It raises CommandRejected (code and message for the wire)
    when it has not, and then, as when it is cancelled, it leaves the bot as it was. Each name gets one command at
    a time, but a `stop` may follow the cancellation of any other.
    """

    async def open(self, listener: EventListener) -> None:
        """Start; `listener` is called with every event from now on."""

    async def close(self) -> None:
        """Release all bots without stopping those that can outlive this process; `listener` is called no more."""

    async def find(self) -> Mapping[str, Lifecycle]:
        """Return the bots that are up, also those that an earlier process started: RUNNING or PAUSED."""

    async def start(self, strategy: Strategy, *, paused: bool = False) -> None:
        """Start a bot; it trades on return, or waits with no order placed if `paused`.

        ALREADY_RUNNING: there is one of that name.
        """

    async def stop(self, name: str) -> None:
        """Cancel a bot's orders and stop it; nothing to do if it is not up."""

    async def pause(self, name: str) -> None:
        """Cancel a bot's orders and halt it; it stays up. INVALID_STATE: it is not up."""

    async def resume(self, name: str) -> None:
        """Let a halted bot trade again. INVALID_STATE: it is not up."""

    async def apply(self, strategy: Strategy) -> None:
        """Make a bot that is up take `strategy.config`, hot fields only. INVALID_STATE: it is not up."""

    async def delete(self, name: str) -> None:
        """Delete what is kept of a bot that is not up; nothing to do if nothing is kept."""

    def performance(self, name: str) -> Performance | None:
        """Return a bot's performance as last known; None for a bot that is not up, or has none yet."""
