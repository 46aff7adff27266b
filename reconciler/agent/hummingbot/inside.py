"""What the runner needs of a bot's inside: how to begin one, and how to speak with it. Protocols, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from reconciler.agent.hummingbot.health import Answer
from reconciler.agent.model import Strategy

ANSWER_S = 10.0
"""A bot that runs answers within milliseconds; one that starts may be busy for seconds."""

WORK_S = 40.0
"""A bot gives its own commands 30 s (hummingbot/remote_iface/mqtt.py, MQTTCommands)."""


class Unanswered(Exception):
    """A bot did not answer in time, could not be asked, or refused; the message says which."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to begin one process. `secret`: what it reads on stdin; in none of the rest is anything secret."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    secret: bytes = b""

    def __repr__(self) -> str:
        """Without `secret`, since it may come into a traceback."""
        return f"{type(self).__name__}({self.argv!r})"


class Ear(Protocol):
    """Who hears what a bot tells by itself. Called in the loop's thread; quick, never raises."""

    def on_alive(self) -> None:
        """A sign of life."""

    def on_log(self, level: str, logger: str, message: str) -> None:
        """A log record of this moment."""

    def on_report(self, report: Mapping[str, Any]) -> None:
        """A report of its controllers' performance."""


class Bridge(Protocol):
    """The line to one bot. Everything that asks raises Unanswered when it has no good answer."""

    async def status(self) -> Answer:
        """How it is; never SILENT."""

    async def begin(self) -> None:
        """Load the strategy from its file and start it."""

    async def halt(self) -> None:
        """Cancel its orders and stop the strategy; the process stays up."""

    async def configure(self, fields: Mapping[str, Any]) -> None:
        """Set fields of a v1 strategy that runs."""

    async def config(self) -> Mapping[str, Any]:
        """The config that its strategy runs with, in Hummingbot's own form."""

    def close(self) -> None:
        """Hear and ask no more."""


class Inside(Protocol):
    """Makes both, for all bots of one agent."""

    async def open(self) -> None:
        """Connect. Raises BrokerError."""

    async def close(self) -> None:
        """Let go of every bot."""

    @property
    def line(self) -> bool:
        """Whether our own connection stands."""

    def prepare(self, root: Path, strategy: Strategy, *, paused: bool) -> Launch:
        """Make or renew the root folder; a bot begun `paused` loads no strategy. Touches files.

        Raises:
            CommandRejected: the strategy cannot be put into Hummingbot's form, or its account lacks keys.
            OSError: the folder cannot be written.
        """

    def rewrite(self, root: Path, strategy: Strategy) -> None:
        """Write the strategy's own file anew, for a bot that is up."""

    def connect(self, name: str, ear: Ear) -> Bridge:
        """A line to the bot of this name."""
