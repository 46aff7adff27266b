from __future__ import annotations

import json
from decimal import Decimal

import pytest

from reconciler.errors import CommandRejected
from reconciler.model.change import ConfigMode, Op, Step
from reconciler.model.spec import StrategySpec
from reconciler.protocol.commands import build
from reconciler.protocol.messages import CommandMeta, decode_command, encode

SPEC = StrategySpec(
    "my_strategy",
    "pure_market_making",
    "binance",
    "BTC-USDT",
    {"bid_spread": Decimal("0.10"), "ask_spread": Decimal("0.10"), "order_amount": Decimal("0.01")},
    labels={"team": "a"},
    wave=2,
)


def step(op: Op, spec: StrategySpec = SPEC) -> Step:
    return {
        Op.CREATE: Step(Op.CREATE, spec=spec, spec_hash="sha256:1"),
        Op.UPDATE: Step(Op.UPDATE, config={"bid_spread": Decimal("0.2")}, spec_hash="sha256:2"),
    }.get(op, Step(op))


BASIC = {
    Op.CREATE: '{"strategy_name":"my_strategy","strategy_type":"pure_market_making","exchange":"binance",'
    '"trading_pair":"BTC-USDT","config":{"bid_spread":0.10,"ask_spread":0.10,"order_amount":0.01}}',
    Op.UPDATE: '{"strategy_name":"my_strategy","config":{"bid_spread":0.2}}',
    **dict.fromkeys((Op.START, Op.STOP, Op.PAUSE, Op.RESUME, Op.DELETE), '{"strategy_name":"my_strategy"}'),
}


@pytest.mark.parametrize("op", list(Op))
def test_a_basic_peer_gets_the_given_payload_key_for_key(op: Op) -> None:
    built, command = build(step(op), "my_strategy", None)

    assert built is op
    assert encode(command) == BASIC[op].encode()


@pytest.mark.parametrize("op", list(Op))
def test_an_agent_gets_the_same_payload_and_meta_next_to_it(op: Op) -> None:
    _, command = build(step(op), "my_strategy", CommandMeta(v=1, request_id="r", owner="ctl"))

    body = json.loads(encode(command))
    meta = body.pop("meta")

    assert body == json.loads(BASIC[op])
    assert (meta["v"], meta["request_id"], meta["owner"]) == (1, "r", "ctl")
    assert meta.get("spec_hash") == step(op).spec_hash
    assert decode_command(op, encode(command)) == command


def test_the_account_travels_in_meta_on_create_and_only_there() -> None:
    spec = StrategySpec("mm", "pmm", "binance", "BTC-USDT", {}, account="second")

    _, create = build(step(Op.CREATE, spec), "mm", CommandMeta(v=1, request_id="r"))
    _, start = build(step(Op.START), "mm", CommandMeta(v=1, request_id="r"))

    assert (create.meta and create.meta.account, start.meta and start.meta.account) == ("second", "")
    assert set(json.loads(encode(create))) == {*json.loads(BASIC[Op.CREATE]), "meta"}


def test_an_empty_config_is_sent_as_one() -> None:
    _, create = build(Step(Op.CREATE, spec=StrategySpec("mm", "pmm", "binance", "BTC-USDT", {})), "mm", None)

    assert json.loads(encode(create))["config"] == {}


def test_a_replacing_update_says_so() -> None:
    replace = Step(Op.UPDATE, config={"a": 1}, config_mode=ConfigMode.REPLACE)

    _, command = build(replace, "mm", CommandMeta(v=1, request_id="r"))

    assert json.loads(encode(command))["meta"]["config_mode"] == "replace"


def test_a_basic_peer_is_not_asked_to_merge_where_a_key_must_go() -> None:
    with pytest.raises(CommandRejected, match="remove a config key"):
        build(Step(Op.UPDATE, config={"a": 1}, config_mode=ConfigMode.REPLACE), "mm", None)


def test_a_basic_peer_is_not_given_a_strategy_that_belongs_to_another_account() -> None:
    spec = StrategySpec("mm", "pmm", "binance", "BTC-USDT", {}, account="second")

    with pytest.raises(CommandRejected, match="account"):
        build(Step(Op.CREATE, spec=spec), "mm", None)


def test_a_create_without_a_spec_is_a_bug() -> None:
    with pytest.raises(ValueError, match="whole spec"):
        build(Step(Op.CREATE), "mm", None)
