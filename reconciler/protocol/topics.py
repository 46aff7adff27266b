"""Topic names of one root, both ways: building them and saying what an incoming one is. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.change import Op
from reconciler.model.spec import NAME, is_root

_REPLY_LEVELS = re.compile(rf"(/{NAME.pattern}){{0,3}}")


BATCH = "batch"
"""Last level of the topics that carry several commands or responses in one message."""


class TopicKind(StrEnum):
    """What a topic carries."""

    COMMAND = "command"
    RESPONSE = "response"
    STATUS = "status"
    PERFORMANCE = "performance"
    LOGS = "logs"
    PRESENCE = "presence"
    INVENTORY = "inventory"
    NOTIFICATION = "notification"


class TopicAddress(NamedTuple):
    """A topic, read. `name`: the op, strategy, agent, channel or reply id in its last levels; may be empty."""

    kind: TopicKind
    name: str = ""


_BY_LEVEL = {
    "strategy": TopicKind.COMMAND,
    "response": TopicKind.RESPONSE,
    "status": TopicKind.STATUS,
    "performance": TopicKind.PERFORMANCE,
    "logs": TopicKind.LOGS,
    "agent": TopicKind.PRESENCE,
    "inventory": TopicKind.INVENTORY,
    "notifications": TopicKind.NOTIFICATION,
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

    def read(self, topic: str) -> TopicAddress | None:
        """Say what `topic` is; None for one that is not ours (a broker may hand us anything)."""
        if not topic.startswith(self._prefix):
            return None
        level, _, name = topic[len(self._prefix) :].partition("/")
        kind = _BY_LEVEL.get(level)
        return None if kind is None else TopicAddress(kind, name)

    def may_reply_to(self, topic: str) -> bool:
        """Whether a reply may go to `topic`: `{root}/response` or up to three names below it.

        Anything else, a wildcard above all, would let a stranger choose where an agent publishes.
        """
        inside = topic.startswith(self.response)
        return inside and _REPLY_LEVELS.fullmatch(topic, len(self.response)) is not None
