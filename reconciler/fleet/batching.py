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
from reconciler.model.change import Op
from reconciler.protocol.batches import batched, pack_commands
from reconciler.protocol.topics import Topics
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
    """Queues the commands to one target until the end of the turn of the loop; responses come back to `controller`.

    `may_batch`: whether every agent there takes several commands in one message. `record`: writes down what was
    decided, before any command leaves; raises StoreError.
    """

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        controller: str,
        *,
        may_batch: Callable[[], bool],
        record: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._topics = topics
        self._reply_to = topics.reply_to(controller)
        self._may_batch = may_batch
        self._record = record
        self._due: list[OutgoingCommand] = []

    def put(self, command: OutgoingCommand) -> None:
        """Send `command` at the end of this turn of the loop."""
        self._due.append(command)
        if len(self._due) == 1:
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        commands, self._due = self._due, []
        try:
            self._record()
        except StoreError as error:
            for command in commands:
                command.on_done(error)
            return
        if len(commands) == 1 or not self._may_batch():
            self._send_alone(commands)
            return
        for some in batched(commands, lambda command: len(command.payload)):
            self._send_together(some)

    def _send_together(self, commands: Sequence[OutgoingCommand]) -> None:
        timeout_s = max(command.timeout_s for command in commands)
        payload = pack_commands((command.op, command.payload) for command in commands)
        properties = Properties(expiry_s=_expiry_s(timeout_s), content_type=CONTENT_TYPE)

        def on_done(outcome: PublishResult | BrokerError) -> None:
            for command in commands:
                command.on_done(outcome)

        message = Publish(self._topics.batch, payload, properties=properties)
        try:
            self._transport.post(message, timeout_s=timeout_s, on_done=on_done)
        except BrokerError:
            self._send_alone(commands)

    def _send_alone(self, commands: Sequence[OutgoingCommand]) -> None:
        for command in commands:
            properties = None
            if command.request_id:
                properties = Properties(
                    response_topic=self._reply_to,
                    correlation_data=command.request_id.encode(),
                    expiry_s=_expiry_s(command.timeout_s),
                    content_type=CONTENT_TYPE,
                )
            message = Publish(self._topics.command(command.op), command.payload, properties=properties)
            try:
                self._transport.post(message, timeout_s=command.timeout_s, on_done=command.on_done)
            except BrokerError as error:
                command.on_done(error)


def _expiry_s(timeout_s: float) -> int:
    return max(1, round(timeout_s))
