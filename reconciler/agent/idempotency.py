"""
Replies by idempotency key: a command that is repeated is answered from here, never carried out again.

Rule 1: only successes are kept. A refusal changed nothing, so a repetition may be decided differently.
Rule 2: a key belongs to one command for one strategy; used for another it is a conflict.
Rule 3: time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.agent.model import CachedReply
from reconciler.agent.responses import Refusal
from reconciler.model.change import Op
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import CommandMeta, Reply

KEEP_S = 24 * 3600.0
"""docs/protocol.md, Extended: the agent keeps the answers for 24 h."""


def key_of(meta: CommandMeta | None) -> str:
    """The key that all attempts of a command share; empty for a Basic command, which has none."""
    return (meta.idempotency_key or meta.request_id) if meta else ""


class ReplyCache:
    """The successes of the last 24 hours, oldest first."""

    def __init__(self) -> None:
        self._kept: dict[str, CachedReply] = {}

    def keep(self, key: str, answer: CachedReply) -> None:
        """Keep the reply that was sent under `key`."""
        self._kept[key] = answer

    def find(self, key: str, op: Op, name: str, now: float) -> Reply | None:
        """Return the reply that was sent under `key`, None if there is none.

        Raises:
            Refusal: CONFLICT, the key was another command's.
        """
        found = self._kept.get(key)
        if found is None or now - found.at > KEEP_S:
            return None
        if (found.op, found.name) != (op, name):
            raise Refusal(
                ErrorCode.CONFLICT,
                f"the key was used to {found.op} {found.name}",
                field="meta.idempotency_key",
            )
        return found.reply

    def expire(self, now: float) -> Iterator[str]:
        """Drop replies that are too old, and yield their keys."""
        while self._kept:
            key = next(iter(self._kept))
            if now - self._kept[key].at <= KEEP_S:
                return
            del self._kept[key]
            yield key
