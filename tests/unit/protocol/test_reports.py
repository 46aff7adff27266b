"""What bots report is read as far as it can be read."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import (
    MalformedMessage,
    Status,
)
from reconciler.protocol.reports import (
    decode_log,
    decode_performance,
    decode_reply,
    decode_status,
)


def to_bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


# -- statuses


def test_a_single_status_is_read() -> None:
    payload = b'{"strategy_name":"mm","state":"paused","config":{"bid_spread":0.10},"something":{"new":1}}'

    report = decode_status(payload)

    assert report.statuses == (
        Status(strategy_name="mm", state=Lifecycle.PAUSED, config={"bid_spread": Decimal("0.10")}),
    )
    assert not report.snapshot


@pytest.mark.parametrize("state", list(Lifecycle))
@pytest.mark.parametrize("key", ["state", "status"])
def test_status_is_an_alias_of_state_in_both_shapes(key: str, state: Lifecycle) -> None:
    body = {"strategy_name": "mm", key: state.value}

    assert decode_status(to_bytes(body)).statuses[0].state is state
    assert decode_status(to_bytes({"strategies": [body], "timestamp": 1})).statuses[0].state is state


def test_a_snapshot_is_complete_also_when_it_is_empty() -> None:
    assert decode_status(b'{"strategies":[],"timestamp":1}') == ((), (), True, True)


@pytest.mark.parametrize(
    "extra",
    [
        {"strategy_id": 123456},
        {"strategy_id": {"a": 1}},
        {"message": 5},
        {"message": None},
        {"timestamp": 1710928800.5},
        {"observed_at": []},
        {"config": "none"},
        {"exchange": 7},
        {"strategy_type": None},
        {"conditions": "fine"},
        {"conditions": [{"kind": "x"}]},
        {"meta": "mine"},
        {"meta": {"epoch": "nine"}},
        {"spec_hash": 12},
        {"account": ["x"]},
        {"seq": "7", "agent": "a", "session": "s"},
        {"session": 12},
    ],
)
def test_a_wrong_type_elsewhere_does_not_lose_name_and_state(extra: dict[str, Any]) -> None:
    body = {"strategy_name": "mm", "state": "running", **extra}

    for report in (decode_status(to_bytes(body)), decode_status(to_bytes({"strategies": [body]}))):
        assert [(status.strategy_name, status.state) for status in report.statuses] == [("mm", "running")]
        assert not report.unreadable


def test_only_what_is_wrong_is_left_out() -> None:
    body = {
        "strategy_name": "mm",
        "state": "running",
        "exchange": 7,
        "trading_pair": "BTC-USDT",
        "config": {"a": 1},
    }

    (status,) = decode_status(to_bytes(body)).statuses

    assert (status.exchange, status.trading_pair, status.config) == (None, "BTC-USDT", {"a": 1})


def test_a_peer_that_uses_our_order_keys_for_its_own_is_taken_for_basic() -> None:
    body = {"strategy_name": "mm", "state": "running", "agent": "x", "session": "s", "seq": {"a": 1}}

    assert not decode_status(to_bytes(body)).statuses[0].extended


def test_a_strategy_in_a_state_that_we_do_not_know_is_named_all_the_same() -> None:
    strange = {"strategy_name": "mm", "state": "levitating"}
    good = {"strategy_name": "eth", "state": "running"}

    assert decode_status(to_bytes(strange)).unreadable == ("mm",)
    report = decode_status(to_bytes({"strategies": [strange, good]}))
    assert ([status.strategy_name for status in report.statuses], report.unreadable) == (["eth"], ("mm",))
    assert report.complete


@pytest.mark.parametrize(
    "nameless", [{"state": "running"}, 5, None, {"strategy_name": 7, "state": "running"}]
)
def test_a_snapshot_with_a_nameless_entry_proves_nothing_about_the_rest(nameless: Any) -> None:
    report = decode_status(to_bytes({"strategies": [nameless, {"strategy_name": "eth", "state": "running"}]}))

    assert [status.strategy_name for status in report.statuses] == ["eth"]
    assert report.snapshot
    assert not report.complete


# -- responses, performance, logs


def test_the_given_replies_are_read() -> None:
    success = decode_reply(
        b'{"status":"success","message":"Strategy created successfully","data":{"strategy_name":"my_strategy","strategy_id":"123456"}}'
    )
    error = decode_reply(
        b'{"status":"error","message":"Invalid strategy configuration","error_code":"INVALID_CONFIG","details":{"field":"order_amount","reason":"Must be greater than 0"}}'
    )

    assert success.ok
    assert success.data == {"strategy_name": "my_strategy", "strategy_id": "123456"}
    assert not error.ok
    assert (error.error_code, error.details) == (
        "INVALID_CONFIG",
        {"field": "order_amount", "reason": "Must be greater than 0"},
    )


@pytest.mark.parametrize(
    "extra",
    [{"message": None}, {"data": []}, {"details": "text"}, {"error_code": 5}, {"meta": 1}, {"data": None}],
)
def test_a_wrong_type_elsewhere_does_not_lose_an_answer(extra: dict[str, Any]) -> None:
    assert decode_reply(to_bytes({"status": "success", **extra})).ok


@pytest.mark.parametrize("status", ["ok", None, 200, "SUCCESS"])
def test_an_answer_that_says_neither_success_nor_error_is_malformed(status: Any) -> None:
    with pytest.raises(MalformedMessage):
        decode_reply(to_bytes({"status": status}))


def test_performance_keeps_what_can_be_read_of_it() -> None:
    body = {
        "strategy_name": "mm",
        "timestamp": "2024-03-20T10:00:00Z",
        "net_pnl_quote": 1.10,
        "volume_quote": "a lot",
        "positions": [{"trading_pair": "BTC-USDT", "amount": 0.5}],
    }

    figures = decode_performance(to_bytes(body))

    assert (figures.net_pnl_quote, figures.volume_quote) == (Decimal("1.1"), None)
    assert figures.positions is not None
    assert figures.positions[0].amount == Decimal("0.5")


def test_a_log_record_needs_nothing_but_a_name() -> None:
    assert decode_log(b'{"strategy_name":"mm","level":30}').level == "INFO"
