"""
Commands on their way out. Those of one turn of the loop leave together, if every agent there understands it.

Rule 1: what must be known of a command after a crash is written down before it leaves; all share one commit.
Rule 2: a Basic peer gets each command alone, on its own topic, exactly as given.
Rule 3: what cannot leave together leaves alone: a broker may take no message as long as a batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from reconciler.errors import BrokerError, StoreError
from reconciler.fleet.target import Target
from reconciler.model.change import Op
from reconciler.protocol.batches import batched, pack_commands
from reconciler.transport.base import Properties, Publish, PublishResult, Transport

CONTENT_TYPE = "application/json"


class OutgoingCommand(msgspec.Struct, frozen=True, gc=False):
    """One command, encoded. `request_id` empty: to a Basic peer. `on_done`: called once with the publish result."""

    op: Op
    payload: bytes
    request_id: str
    timeout_s: float
    on_done: Callable[[PublishResult | BrokerError | StoreError], None]


class Batcher:
    """Queues commands for one transport; responses come back to `controller`."""

    def __init__(self, transport: Transport, controller: str) -> None:
        self._transport = transport
        self._controller = controller
        self._due: dict[str, list[OutgoingCommand]] = {}
        self.record: Callable[[], None] | None = None
        """Writes down what was decided; raises StoreError."""

    def put(self, target: Target, command: OutgoingCommand) -> None:
        """Send `command` at the end of this turn of the loop."""
        due = self._due.setdefault(target.name, [])
        due.append(command)
        if len(due) == 1:
            asyncio.get_running_loop().call_soon(self._send, target)

    def _send(self, target: Target) -> None:
        commands = self._due.pop(target.name)
        try:
            if self.record is not None:
                self.record()
        except StoreError as error:
            _report(commands, error)
            return
        if len(commands) == 1 or not target.batches:
            self._alone(target, commands)
            return
        for some in batched(commands, lambda command: len(command.payload)):
            self._together(target, some)

    def _together(self, target: Target, commands: Sequence[OutgoingCommand]) -> None:
        timeout_s = max(command.timeout_s for command in commands)
        try:
            self._transport.post(
                Publish(
                    target.topics.batch,
                    pack_commands((command.op, command.payload) for command in commands),
                    properties=Properties(expiry_s=_expiry_s(timeout_s), content_type=CONTENT_TYPE),
                ),
                timeout_s=timeout_s,
                on_done=lambda outcome: _report(commands, outcome),
            )
        except BrokerError:
            self._alone(target, commands)

    def _alone(self, target: Target, commands: Sequence[OutgoingCommand]) -> None:
        for command in commands:
            try:
                self._transport.post(
                    Publish(
                        target.topics.command(command.op),
                        command.payload,
                        properties=self._properties(target, command) if command.request_id else None,
                    ),
                    timeout_s=command.timeout_s,
                    on_done=command.on_done,
                )
            except BrokerError as error:
                command.on_done(error)

    def _properties(self, target: Target, command: OutgoingCommand) -> Properties:
        """What `meta` says of the response, as MQTT 5 properties."""
        return Properties(
            response_topic=target.topics.reply_to(self._controller),
            correlation_data=command.request_id.encode(),
            expiry_s=_expiry_s(command.timeout_s),
            content_type=CONTENT_TYPE,
        )


def _expiry_s(timeout_s: float) -> int:
    return max(1, round(timeout_s))


def _report(commands: Sequence[OutgoingCommand], outcome: PublishResult | BrokerError | StoreError) -> None:
    for command in commands:
        command.on_done(outcome)
