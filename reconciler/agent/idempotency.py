"""
Answers by idempotency key: a retry of a command is answered, never carried out again. Pure.

Rule 1: only successes are kept. A refusal changed nothing, so asking again may be answered anew.
Rule 2: a key belongs to one command for one strategy; used for another it is a conflict.
Rule 3: a key whose command is under way collects those who ask; all hear how it ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from reconciler.agent.responses import Refusal
from reconciler.model.change import Op
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import CommandMeta, Reply

KEEP_S = 24 * 3600.0
"""protocol.md, Extended: the agent keeps the answers for 24 h."""


def key_of(meta: CommandMeta | None) -> str:
    """What identifies a command over all its attempts; empty for a Basic one, which cannot be recognised."""
    return (meta.idempotency_key or meta.request_id) if meta else ""


class CachedReply(msgspec.Struct, frozen=True, gc=False):
    """A success that was given. `at`: Unix time in seconds."""

    op: Op
    name: str
    reply: Reply
    at: float


class ReplyCache:
    """The answers of the last 24 hours, oldest first."""

    def __init__(self) -> None:
        self._kept: dict[str, CachedReply] = {}

    def keep(self, key: str, answer: CachedReply) -> None:
        """Keep an answer that was given under `key`."""
        self._kept[key] = answer

    def find(self, key: str, op: Op, name: str, now: float) -> Reply | None:
        """The answer given under `key`, None if there is none.

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

    def forget_old(self, now: float) -> Iterator[str]:
        """Drop what is too old and name its keys."""
        while self._kept:
            key = next(iter(self._kept))
            if now - self._kept[key].at <= KEEP_S:
                return
            del self._kept[key]
            yield key
