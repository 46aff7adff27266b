"""Topic names of one root, both ways: building them and saying what an incoming one is. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.change import Op

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a strategy, target, agent or account may be called: it becomes a topic level and a folder."""

_ROOT = re.compile(rf"{NAME.pattern}(/{NAME.pattern}){{0,3}}")
_REPLY_LEVELS = re.compile(rf"(/{NAME.pattern}){{0,3}}")


def is_name(text: str) -> bool:
    """Say whether `text` may name a strategy."""
    return NAME.fullmatch(text) is not None


def is_root(text: str) -> bool:
    """Say whether `text` may be the root of all topics: one to four levels, each a name."""
    return _ROOT.fullmatch(text) is not None


BATCH = "batch"
"""Last level of the topics that carry several commands or responses in one message."""


class Kind(StrEnum):
    """What a topic carries."""

    COMMAND = "command"
    RESPONSE = "response"
    STATUS = "status"
    PERFORMANCE = "performance"
    LOGS = "logs"
    PRESENCE = "presence"
    INVENTORY = "inventory"
    NOTIFICATION = "notification"


class Address(NamedTuple):
    """A topic, read. `name`: the op, strategy, agent, channel or reply id in its last levels; may be empty."""

    kind: Kind
    name: str = ""


_BY_LEVEL = {
    "strategy": Kind.COMMAND,
    "response": Kind.RESPONSE,
    "status": Kind.STATUS,
    "performance": Kind.PERFORMANCE,
    "logs": Kind.LOGS,
    "agent": Kind.PRESENCE,
    "inventory": Kind.INVENTORY,
    "notifications": Kind.NOTIFICATION,
}


class Topics:
    """All topics under one root, such as `hummingbot`.

    Raises:
        ValueError: `root` is not `is_root`; a wildcard in it would reach other people's bots.
    """

    def __init__(self, root: str) -> None:
        if not is_root(root):
            raise ValueError(f"{root!r} cannot be the root of topics: up to four names, joined by /")
        self.root = root
        self.status = f"{root}/status"
        self.performance = f"{root}/performance"
        self.logs = f"{root}/logs"
        self.response = f"{root}/response"
        self.batch = f"{root}/strategy/{BATCH}"
        self._prefix = f"{root}/"

    def command(self, op: Op) -> str:
        return f"{self.root}/strategy/{op.value}"

    def status_of(self, name: str) -> str:
        return f"{self.root}/status/{name}"

    def presence(self, agent: str) -> str:
        return f"{self.root}/agent/{agent}"

    def inventory(self, agent: str) -> str:
        return f"{self.root}/inventory/{agent}"

    def reply_to(self, controller: str) -> str:
        return f"{self.root}/response/{controller}"

    def batch_of(self, reply_to: str) -> str:
        """Where several responses for `reply_to` go together."""
        return f"{reply_to}/{BATCH}"

    def notification(self, channel: str) -> str:
        return f"{self.root}/notifications/{channel}"

    def read(self, topic: str) -> Address | None:
        """Say what `topic` is; None for one that is not ours (a broker may hand us anything)."""
        if not topic.startswith(self._prefix):
            return None
        level, _, name = topic[len(self._prefix) :].partition("/")
        kind = _BY_LEVEL.get(level)
        return None if kind is None else Address(kind, name)

    def may_reply_to(self, topic: str) -> bool:
        """Whether a reply may go to `topic`: `{root}/response` or up to three names below it.

        Anything else, a wildcard above all, would let a stranger make us publish where he likes.
        """
        inside = topic.startswith(self.response)
        return inside and _REPLY_LEVELS.fullmatch(topic, len(self.response)) is not None
