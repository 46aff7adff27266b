"""What an agent makes of several commands in one message: the same as of each alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.agent.model import SavedState
from reconciler.agent.processor import CommandProcessor, Effects
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.batches import pack_commands
from reconciler.protocol.messages import CommandMessage, encode
from reconciler.protocol.signing import sign
from reconciler.protocol.times import format_time
from reconciler.protocol.topics import BATCH, Topics
from reconciler.transport.base import Message, Properties
from tests.support.agent_builders import command, meta, rules

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
TOPICS = Topics("hummingbot")
REPLY_TO = TOPICS.reply_to("ctl")


def processor_with(**api_keys: str) -> CommandProcessor:
    return CommandProcessor(TOPICS, rules(), SavedState(), api_keys=api_keys, new_id=lambda: "17")


def send(
    processor: CommandProcessor, *commands: tuple[Op, CommandMessage], properties: Properties | None = None
) -> Effects:
    """Take a batch in and return what follows from it."""
    return take(
        processor, pack_commands((op, encode(given)) for op, given in commands), properties=properties
    )


def take(processor: CommandProcessor, payload: bytes, *, properties: Properties | None = None) -> Effects:
    processor.process(BATCH, Message(TOPICS.batch, payload, properties=properties), NOW)
    return processor.take_effects()


def create(name: str, **fields: Any) -> tuple[Op, CommandMessage]:
    about = meta(request_id=f"r-{name}", reply_to=REPLY_TO, **fields)
    return Op.CREATE, command(Op.CREATE, name=name, meta=about)


def test_each_command_is_carried_out_in_its_order() -> None:
    effects = send(
        processor_with(), create("a"), (Op.START, command(Op.START, name="a", meta=meta())), create("b")
    )

    assert [work.name for work in effects.works] == ["a"]
    assert [(each.name, each.state) for each in effects.changed if not isinstance(each, str)] == [
        ("a", Lifecycle.STOPPED),
        ("a", Lifecycle.STARTING),
        ("b", Lifecycle.STOPPED),
    ]


def test_each_is_answered_where_its_own_meta_says_and_may_travel_with_others() -> None:
    effects = send(processor_with(), create("a"), create("b"))

    assert [(route.topic, route.correlation_data, route.together) for route, _ in effects.replies] == [
        (REPLY_TO, None, True),
        (REPLY_TO, None, True),
    ]
    assert [reply.meta and reply.meta.request_id for _, reply in effects.replies] == ["r-a", "r-b"]


def test_the_batchs_own_properties_count_for_none_of_its_commands() -> None:
    ours = Properties(response_topic="hummingbot/response/other", correlation_data=b"c1")

    effects = send(processor_with(), create("a"), properties=ours)

    assert [(route.topic, route.correlation_data) for route, _ in effects.replies] == [(REPLY_TO, None)]


def test_one_that_cannot_be_read_does_not_harm_the_others() -> None:
    good = encode(create("a")[1])
    bad = b'{"commands":[{"op":"create","command":{"strategy_name":7}},{"op":"create","command":%s}]}' % good

    effects = take(processor_with(), bad)

    assert [reply.error_code for _, reply in effects.replies] == ["INVALID_PAYLOAD", ""]


def test_an_operation_that_there_is_not_is_unsupported_in_a_batch_too() -> None:
    processor = processor_with()

    turns = [
        take(processor, b'{"commands":[{"op":"%s","command":{}}]}' % op)
        for op in (b"explode", b"batch", b"+")
    ]

    codes = [[reply.error_code for _, reply in effects.replies] for effects in turns]
    assert codes == [["UNSUPPORTED_OPERATION"]] * 3


def test_what_is_no_batch_is_refused_as_invalid() -> None:
    effects = take(processor_with(), b'{"strategy_name":"mm"}')

    assert [(route.topic, reply.error_code) for route, reply in effects.replies] == [
        ("hummingbot/response", "INVALID_PAYLOAD")
    ]
    assert not effects.entry


def test_a_retry_in_a_batch_is_replayed() -> None:
    processor = processor_with()
    send(processor, create("a", idempotency_key="k1"))

    again = send(processor, create("a", idempotency_key="k1"), create("b", idempotency_key="k2"))

    assert [reply.meta and reply.meta.replayed for _, reply in again.replies] == [True, False]
    assert [each.name for each in again.changed if not isinstance(each, str)] == ["b"]


def test_each_signature_is_checked_for_the_topic_that_its_command_has_alone() -> None:
    end = format_time(NOW + timedelta(seconds=30))
    _, plain = create("a", expires_at=end)
    good = sign(TOPICS.command(Op.CREATE), plain, api_key="key-1", api_secret="s")
    _, other = create("b", expires_at=end)
    for_the_batch = sign(TOPICS.batch, other, api_key="key-1", api_secret="s")

    effects = send(
        processor_with(**{"key-1": "s"}), (Op.CREATE, good), (Op.CREATE, for_the_batch), create("c")
    )

    assert [reply.error_code for _, reply in effects.replies] == ["", "UNAUTHORIZED", "UNAUTHORIZED"]


def test_a_signed_command_is_not_taken_alone_once_it_was_taken_in_a_batch() -> None:
    processor = processor_with(**{"key-1": "s"})
    _, plain = create("a", expires_at=format_time(NOW + timedelta(seconds=30)))
    signed = sign(TOPICS.command(Op.CREATE), plain, api_key="key-1", api_secret="s")
    send(processor, (Op.CREATE, signed))

    processor.process("create", Message(TOPICS.command(Op.CREATE), encode(signed)), NOW)

    assert not processor.take_effects().changed
