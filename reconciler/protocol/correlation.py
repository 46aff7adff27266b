"""
Request ids, and which command a response answers. Pure.

Rule 1: MQTT 5 Correlation Data names the command; without it `meta.request_id`; without both, a response answers the
one command that is in flight to the Basic peer of that root.
Rule 2: a response that names another request or another strategy is not taken: it is late, a duplicate or foreign.
"""

from __future__ import annotations

from itertools import count

import msgspec

from reconciler.model.change import Op
from reconciler.protocol.messages import Reply


class Identifiers:
    """Unique names, in order. `prefix`: random, one for each process; a number follows it.

    A random name each would cost a system call, and, as a key of a database, touch another page each time.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def new(self) -> str:
        """A name that was not given before."""
        return f"{self._prefix}{next(self._numbers):08x}"


class ExpectedResponse(msgspec.Struct, frozen=True, gc=False):
    """A command that awaits its response. `response`: the topic at or below which it is expected."""

    op: Op
    name: str
    basic: bool
    response: str


class ResponseMatcher:
    """The commands in flight; `unmatched` counts responses that belonged to none (late, duplicate, foreign)."""

    def __init__(self) -> None:
        self._in_flight: dict[str, ExpectedResponse] = {}
        self.unmatched = 0

    def register(self, request_id: str, op: Op, name: str, *, basic: bool, response: str) -> None:
        """Expect a response to `request_id` on `response` (`Topics.response`) or below it.

        Raises:
            ValueError: a Basic command is in flight there already; the errors of the two could not be distinguished.
        """
        if basic and self._basic_on(response) is not None:
            raise ValueError(f"a Basic command is in flight on {response} already")
        self._in_flight[request_id] = ExpectedResponse(op, name, basic, response)

    def forget(self, request_id: str) -> None:
        """Expect no response any more; a late one is not matched."""
        self._in_flight.pop(request_id, None)

    def match(self, reply: Reply, correlation_data: bytes | None, topic: str) -> str | None:
        """Return the request that `reply` answers, None if there is none.

        A request is done with its first response, unless that says only that it was accepted.
        """
        named = (correlation_data or b"").decode(errors="replace") or (reply.meta and reply.meta.request_id)
        request_id = named or self._basic_on(topic)
        if (
            not request_id
            or request_id not in self._in_flight
            or not _agrees(self._in_flight[request_id], reply, topic)
        ):
            self.unmatched += 1
            return None
        only_accepted = reply.ok and reply.meta is not None and reply.meta.phase == "accepted"
        if not only_accepted:
            del self._in_flight[request_id]
        return request_id

    def _basic_on(self, topic: str) -> str | None:
        for request_id, command in self._in_flight.items():
            if command.basic and _below(topic, command.response):
                return request_id
        return None


def _below(topic: str, response: str) -> bool:
    return topic == response or topic.startswith(f"{response}/")


def _agrees(command: ExpectedResponse, reply: Reply, topic: str) -> bool:
    """Rule 2: whether nothing that `reply` says of itself contradicts that it answers `command`."""
    meta = reply.meta
    unnamed = (None, "", command.name)
    return (
        _below(topic, command.response)
        and (reply.data or {}).get("strategy_name") in unnamed
        and (meta is None or (meta.op in {"", command.op} and meta.strategy_name in unnamed))
    )
