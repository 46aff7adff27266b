"""
Names of requests, and which command a response answers. Pure.

In this order: MQTT 5 Correlation Data; `meta.request_id`; and for an answer that has neither, the one
command that is in flight to the Basic peer of that root. An answer that names another request or another
strategy is never taken: it is late, double or somebody else's.
"""

from __future__ import annotations

from itertools import count

import msgspec

from reconciler.model.change import Op
from reconciler.protocol.messages import Reply


class Identifiers:
    """Unique names, in order. `prefix`: random, of this process's life; what follows it is a number.

    A random name each would cost a system call, and, as a key of a database, touch another page each time.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def new(self) -> str:
        """A name that was not given before."""
        return f"{self._prefix}{next(self._numbers):08x}"


class ExpectedResponse(msgspec.Struct, frozen=True, gc=False):
    """A command that waits for its answer. `response`: the topic at or below which it is expected."""

    op: Op
    name: str
    basic: bool
    response: str


class ResponseMatcher:
    """The commands in flight; `unmatched` counts answers that belonged to none (late, double, foreign)."""

    def __init__(self) -> None:
        self._in_flight: dict[str, ExpectedResponse] = {}
        self.unmatched = 0

    def register(self, request_id: str, op: Op, name: str, *, basic: bool, response: str) -> None:
        """Expect an answer to `request_id` on `response` (`Topics.response`) or below it.

        Raises:
            ValueError: a Basic command is in flight there already; the errors of the two could not be distinguished.
        """
        if basic and self._basic_on(response) is not None:
            raise ValueError(f"a Basic command is in flight on {response} already")
        self._in_flight[request_id] = ExpectedResponse(op, name, basic, response)

    def forget(self, request_id: str) -> None:
        """Expect no answer any more; one that comes late will not be matched."""
        self._in_flight.pop(request_id, None)

    def match(self, reply: Reply, correlation_data: bytes | None, topic: str) -> str | None:
        """Return the request that `reply` answers, None if there is none.

        A request is done with its first answer, unless that says only that it was accepted.
        """
        request_id = self._candidate(reply, correlation_data, topic)
        if request_id is None or not _agrees(self._in_flight[request_id], reply, topic):
            self.unmatched += 1
            return None
        only_accepted = reply.ok and reply.meta is not None and reply.meta.phase == "accepted"
        if not only_accepted:
            del self._in_flight[request_id]
        return request_id

    def _candidate(self, reply: Reply, correlation_data: bytes | None, topic: str) -> str | None:
        named = (correlation_data or b"").decode(errors="replace") or (reply.meta and reply.meta.request_id)
        if named:
            return named if named in self._in_flight else None
        return self._basic_on(topic)

    def _basic_on(self, topic: str) -> str | None:
        for request_id, command in self._in_flight.items():
            if command.basic and _below(topic, command.response):
                return request_id
        return None


def _below(topic: str, response: str) -> bool:
    return topic == response or topic.startswith(f"{response}/")


def _agrees(command: ExpectedResponse, reply: Reply, topic: str) -> bool:
    """Whether nothing that `reply` says of itself contradicts that it answers `command`."""
    meta = reply.meta
    unnamed = (None, "", command.name)
    return (
        _below(topic, command.response)
        and (reply.data or {}).get("strategy_name") in unnamed
        and (meta is None or (meta.op in {"", command.op} and meta.strategy_name in unnamed))
    )
