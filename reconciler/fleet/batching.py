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
    """One command, encoded. `request_id` empty: to a Basic peer. `told`: hears what the broker said of it."""

    op: Op
    payload: bytes
    request_id: str
    timeout_s: float
    told: Callable[[PublishResult | BrokerError | StoreError], None]


class Batcher:
    """Posts letters over one transport; answers come back to `controller`."""

    def __init__(self, transport: Transport, controller: str) -> None:
        self._transport = transport
        self._controller = controller
        self._due: dict[str, list[OutgoingCommand]] = {}
        self.record: Callable[[], None] | None = None
        """Writes down what was decided; raises StoreError."""

    def put(self, target: Target, letter: OutgoingCommand) -> None:
        """Post `letter` at the end of this turn of the loop."""
        due = self._due.setdefault(target.name, [])
        due.append(letter)
        if len(due) == 1:
            asyncio.get_running_loop().call_soon(self._send, target)

    def _send(self, target: Target) -> None:
        letters = self._due.pop(target.name)
        try:
            if self.record is not None:
                self.record()
        except StoreError as error:
            _tell(letters, error)
            return
        if len(letters) == 1 or not target.batches:
            self._alone(target, letters)
            return
        for some in batched(letters, lambda letter: len(letter.payload)):
            self._together(target, some)

    def _together(self, target: Target, letters: Sequence[OutgoingCommand]) -> None:
        timeout_s = max(letter.timeout_s for letter in letters)
        try:
            self._transport.post(
                Publish(
                    target.topics.batch,
                    pack_commands((letter.op, letter.payload) for letter in letters),
                    properties=Properties(expiry_s=_expiry_s(timeout_s), content_type=CONTENT_TYPE),
                ),
                timeout_s=timeout_s,
                on_done=lambda outcome: _tell(letters, outcome),
            )
        except BrokerError:
            self._alone(target, letters)

    def _alone(self, target: Target, letters: Sequence[OutgoingCommand]) -> None:
        for letter in letters:
            try:
                self._transport.post(
                    Publish(
                        target.topics.command(letter.op),
                        letter.payload,
                        properties=self._properties(target, letter) if letter.request_id else None,
                    ),
                    timeout_s=letter.timeout_s,
                    on_done=letter.told,
                )
            except BrokerError as error:
                letter.told(error)

    def _properties(self, target: Target, letter: OutgoingCommand) -> Properties:
        """What `meta` says of the answer, for the envelope of MQTT 5."""
        return Properties(
            response_topic=target.topics.reply_to(self._controller),
            correlation_data=letter.request_id.encode(),
            expiry_s=_expiry_s(letter.timeout_s),
            content_type=CONTENT_TYPE,
        )


def _expiry_s(timeout_s: float) -> int:
    return max(1, round(timeout_s))


def _tell(letters: Sequence[OutgoingCommand], outcome: PublishResult | BrokerError | StoreError) -> None:
    for letter in letters:
        letter.told(outcome)
