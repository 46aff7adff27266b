"""Reading anything at all, reading commands strictly, and writing."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import ConfigMode, Op
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.messages import (
    MAX_BYTES,
    MAX_DEPTH,
    AgentInventory,
    AgentPresence,
    CommandMessage,
    CommandMeta,
    MalformedMessage,
    Notification,
    Performance,
    Reply,
    ReplyMeta,
    Status,
    StatusMeta,
    decode_command,
    decode_object,
    encode,
)
from reconciler.protocol.reports import (
    decode_inventory,
    decode_log,
    decode_performance,
    decode_presence,
    decode_reply,
    decode_status,
)

DECODERS: list[Any] = [
    decode_inventory,
    decode_log,
    decode_object,
    decode_performance,
    decode_presence,
    decode_reply,
    decode_status,
    *(lambda payload, op=op: decode_command(op, payload) for op in Op),
]


def to_bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


# Reading anything at all.

known_keys = st.sampled_from(
    [
        "strategy_name",
        "state",
        "status",
        "strategies",
        "config",
        "agent",
        "session",
        "seq",
        "meta",
        "message",
        "error_code",
        "data",
        "details",
        "conditions",
        "timestamp",
        "count",
        "digest",
        "heartbeat_s",
        "positions",
        "open_orders",
        "request_id",
        "v",
        "expires_at",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(known_keys | st.text(max_size=4), inner, max_size=8)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("decode", DECODERS)
@given(payload=st.binary(max_size=64) | json_values.map(to_bytes))
def test_arbitrary_bytes_raise_nothing_but_malformed_message(decode: Any, payload: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        decode(payload)


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"strategy_name":"mm","state":"running","config":{"x":NaN}}',
        b'{"strategy_name":"mm","state":"running","config":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"strategy_name":"mm","state":"running","config":{"x":' + b"[" * 60 + b"]" * 60 + b"}}",
        b'{"strategy_name":"mm","state":"running","message":"\\ud800"}',
    ],
)
def test_what_is_no_message_of_ours_is_malformed(decode: Any, payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(payload)


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "0." + "1" * 2_000, "9" * 5_000])
def test_a_number_that_would_lose_digits_or_fill_the_memory_is_malformed(number: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_object(f'{{"x":{number}}}'.encode())


@pytest.mark.parametrize("decode", [decode_reply, decode_performance, decode_object, decode_presence])
def test_a_payload_over_the_limit_is_not_even_parsed(decode: Any) -> None:
    with pytest.raises(MalformedMessage, match="more than the 1048576"):
        decode(b" " * (MAX_BYTES + 1))


def test_a_config_as_deep_as_a_file_may_be_is_read() -> None:
    nested: Any = 1
    for _ in range(MAX_DEPTH - 8):
        nested = [nested]
    (status,) = decode_status(
        to_bytes({"strategy_name": "mm", "state": "running", "config": {"x": nested}})
    ).statuses

    assert status.config == {"x": nested}


# Commands.

CREATE = {
    "strategy_name": "mm",
    "strategy_type": "pmm",
    "exchange": "binance",
    "trading_pair": "BTC-USDT",
    "config": {"bid_spread": 0.1},
}


def test_a_basic_create_is_read() -> None:
    command = decode_command(Op.CREATE, to_bytes(CREATE))

    assert (command.strategy_name, command.config, command.meta) == (
        "mm",
        {"bid_spread": Decimal("0.1")},
        None,
    )


@pytest.mark.parametrize("key", CREATE)
def test_a_create_without_one_of_its_keys_is_malformed(key: str) -> None:
    with pytest.raises(MalformedMessage, match=key):
        decode_command(Op.CREATE, to_bytes({k: v for k, v in CREATE.items() if k != key}))


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy_name": "../x"},
        {"strategy_name": "a/b"},
        {"strategy_name": ""},
        {"strategy_name": 5},
        {"exchange": 5},
        {"config": []},
        {"config": None},
        {"meta": {}},
        {"meta": {"v": 2, "request_id": "r"}},
        {"meta": {"v": 1, "request_id": ""}},
        {"meta": {"v": 1, "request_id": "r", "epoch": "1"}},
        {"meta": {"v": 1, "request_id": "r", "config_mode": "overwrite"}},
        {"meta": {"v": 1, "request_id": "r", "expires_at": "tomorrow"}},
    ],
)
def test_a_command_is_never_guessed_at(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        decode_command(Op.CREATE, to_bytes({**CREATE, **changes}))


def test_keys_of_a_later_version_are_ignored() -> None:
    body = {"strategy_name": "mm", "later": 1, "meta": {"v": 1, "request_id": "r", "later": [1]}}

    assert decode_command(Op.START, to_bytes(body)) == CommandMessage(
        strategy_name="mm", meta=CommandMeta(v=1, request_id="r")
    )


# Writing.

EVERY_MESSAGE: list[tuple[Any, Any]] = [
    (
        CommandMessage(
            strategy_name="mm",
            config={"bid_spread": Decimal("0.20")},
            meta=CommandMeta(v=1, request_id="r", config_mode=ConfigMode.REPLACE, epoch=9),
        ),
        lambda payload: decode_command(Op.UPDATE, payload),
    ),
    (
        Reply(status="error", error_code="BUSY", meta=ReplyMeta(request_id="r", retry_after_s=1.5)),
        decode_reply,
    ),
    (
        Status(
            strategy_name="mm",
            state=Lifecycle.ERROR,
            agent="a",
            session="s",
            seq=4,
            conditions=(Condition("OrdersMayBeOpen"),),
            meta=StatusMeta(owner="ctl", commit="9f3c2ab", epoch=9),
        ),
        lambda payload: decode_status(payload).statuses[0],
    ),
    (Performance(strategy_name="mm", timestamp="t", net_pnl_quote=Decimal("-1.5")), decode_performance),
    (AgentPresence(agent="a", state="online", session="s", capabilities=("x",)), decode_presence),
    (AgentInventory(agent="a", session="s", seq=1, count=0, digest="d"), decode_inventory),
]


@pytest.mark.parametrize(("message", "decode"), EVERY_MESSAGE)
def test_what_is_written_reads_back_as_it_was(message: msgspec.Struct, decode: Any) -> None:
    assert decode(encode(message)) == message


def test_numbers_keep_their_digits_on_the_wire() -> None:
    command = CommandMessage(strategy_name="mm", config={"bid_spread": Decimal("0.20"), "order_levels": 3})

    assert encode(command) == b'{"strategy_name":"mm","config":{"bid_spread":0.20,"order_levels":3}}'


def test_a_notification_has_exactly_the_given_keys() -> None:
    message = Notification(
        message="Strategy started successfully", level="INFO", timestamp="2024-03-20T10:00:00Z"
    )

    assert (
        encode(message)
        == b'{"message":"Strategy started successfully","level":"INFO","timestamp":"2024-03-20T10:00:00Z"}'
    )
