"""
What `apply`, `reconcile` and `service` need of the bots: the `Fleet` protocol and the values that cross it.

`FleetClient` (client.py) is the one that speaks MQTT; only `app` knows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from reconciler.errors import BrokerError, StoreError
from reconciler.model.change import Step
from reconciler.model.spec import Key
from reconciler.model.state import Observed, ObservedStrategy, PictureUpdate, Presence
from reconciler.protocol.messages import Reply

PictureListener = Callable[[str, PictureUpdate], None]
"""Called with a target and what a message changed there."""


class CommandContext(msgspec.Struct, frozen=True, gc=False):
    """What goes with a command. `idempotency_key`: the same for every attempt at one step."""

    idempotency_key: str
    commit: str
    timeout_s: float


class PendingCommand:
    """One command in flight. `news` is set at every response, at every change of the strategy's status, and from time
    to time without either.

    `before`: what was seen of the strategy when the command was sent. `reply`: the newest response.
    `unheard`: the broker reports no subscriber. `lost`: why it is unknown whether it arrived.
    """

    def __init__(self, key: Key, request_id: str, *, extended: bool, before: ObservedStrategy | None) -> None:
        self.key = key
        self.request_id = request_id
        self.extended = extended
        self.before = before
        self.reply: Reply | None = None
        self.unheard = False
        self.lost: BrokerError | StoreError | None = None
        self.news = asyncio.Event()

    async def next_news(self) -> None:
        """Return once there is news since this last returned."""
        await self.news.wait()
        self.news.clear()


class Fleet(Protocol):
    """The bots of all targets: what is seen of them, and commands to them. All calls belong to one event loop."""

    @property
    def connected(self) -> bool:
        """Whether a command would be sent now."""

    @property
    def owner(self) -> str:
        """The mark that our strategies carry."""

    def observe(self) -> dict[str, Observed]:
        """Every target's picture as it is now."""

    def strategy(self, key: Key) -> ObservedStrategy | None:
        """One strategy as last seen, if what was seen can be believed."""

    def presence(self, key: Key) -> Presence:
        """What can be said of one strategy now; ABSENT only if it is proved."""

    def reachable(self, target: str) -> bool:
        """Whether an Extended agent is there to be asked again."""

    def record_first(self, record: Callable[[], None]) -> None:
        """Call `record` before any command leaves: a crash after that must find it written down."""

    def send(
        self, key: Key, step: Step, context: CommandContext
    ) -> AbstractAsyncContextManager[PendingCommand]:
        """Send one command, and follow its response and the news of `key` while the block runs.

        Raises:
            CommandRejected: this peer has no such command.
        """

    def believe(self, key: Key, step: Step) -> None:
        """Take a Basic peer's success as evidence: it may never report a status (docs/protocol.md)."""

    def renew(self, epoch: int) -> None:
        """Carry a new epoch from now on: another process has applied since we last did."""

    async def start_over(self) -> None:
        """Believe nothing of Extended targets until it is reported again: a status may have been lost."""

    async def settle(self, timeout_s: float) -> dict[str, Observed]:
        """Wait until every target's picture is as good as it will get, at most `timeout_s`."""

    async def ask_again(self) -> None:
        """Subscribe again to the state of every target whose picture is incomplete though its agents are there."""

    def tick(self) -> None:
        """Let time pass: an agent whose heartbeats stop is noticed here."""

    def on_change(self, listener: PictureListener) -> None:
        """Call `listener` at every change of a picture; it must be quick and must not raise."""

    def on_link(self, listener: Callable[[bool, str], None]) -> None:
        """Call `listener` at every loss (with its reason) and return of the connection."""
