from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Op
from reconciler.protocol.batches import (
    MAX_BATCH_BYTES,
    MAX_ITEMS,
    batched,
    pack_commands,
    pack_responses,
    unpack_commands,
    unpack_responses,
)
from reconciler.protocol.messages import MAX_BYTES, MalformedMessage, encode
from tests.support.agent_builders import command

OBJECTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode()
)


@given(st.lists(st.tuples(st.sampled_from(Op), OBJECTS), max_size=8))
def test_a_command_comes_out_byte_for_byte_as_it_went_in(commands: list[tuple[Op, bytes]]) -> None:
    assert unpack_commands(pack_commands(commands)) == commands


@given(st.lists(OBJECTS, max_size=8))
def test_a_response_comes_out_byte_for_byte_as_it_went_in(responses: list[bytes]) -> None:
    assert unpack_responses(pack_responses(responses)) == responses


def test_an_operation_that_there_is_not_is_left_to_the_reader_of_the_command() -> None:
    assert unpack_commands(b'{"commands":[{"op":"explode","command":{}}]}') == [("explode", b"{}")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"commands":{}}',
        b'{"commands":[{"op":"stop"}]}',
        b'{"commands":[{"command":{}}]}',
        b'{"commands":[{"op":7,"command":{}}]}',
        b'{"commands":[{"op":"stop","command":{}}]',
        b'{"commands":[{"op":"stop","command":\xff}]}',
        b'{"commands":' + b"[" * 100_000,
    ],
)
def test_what_is_no_batch_of_commands_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        unpack_commands(payload)


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"responses":7}', b'{"responses":[{]}'])
def test_what_is_no_batch_of_responses_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        unpack_responses(payload)


def test_a_batch_that_is_too_long_is_not_read() -> None:
    too_long = b" " * (MAX_BYTES + 1)

    for unpack in (unpack_commands, unpack_responses):
        with pytest.raises(MalformedMessage, match="more than"):
            unpack(too_long)


@given(st.lists(st.integers(0, MAX_BATCH_BYTES * 2), max_size=400))
def test_batches_keep_the_order_and_their_limits(sizes: list[int]) -> None:
    batches = list(batched(sizes, size=lambda length: length))

    assert [size for batch in batches for size in batch] == sizes
    for batch in batches:
        assert 0 < len(batch) <= MAX_ITEMS
        assert len(batch) == 1 or sum(batch) <= MAX_BATCH_BYTES


def test_a_full_batch_of_large_commands_can_be_read() -> None:
    config = {f"field_{number}": "x" * 100 for number in range(20)}
    one = encode(command(Op.CREATE, config=config))
    (first, *_) = batched([one] * 1_000, size=len)

    assert len(unpack_commands(pack_commands((Op.CREATE, payload) for payload in first))) == len(first) > 50
