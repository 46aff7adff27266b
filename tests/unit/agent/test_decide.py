"""Every command in every state, and what becomes of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from reconciler.agent.decide import finish, superseded
from reconciler.agent.transitions import SUPERSEDABLE, TABLE, Transition, transition
from reconciler.model.change import ConfigMode, Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import StatusMeta
from tests.support.agent_builders import CONFIG, command, meta, spec_hash, strategy
from tests.support.agent_decisions import decide_on, refusal_of, works_on

STATES = (None, *Lifecycle)


# The table.


def test_the_table_names_every_pair() -> None:
    assert set(TABLE) == set(product(Op, STATES))


@pytest.mark.parametrize(("op", "state"), list(product(Op, STATES)))
def test_every_pair_ends_in_the_state_or_the_code_of_the_table(op: Op, state: Lifecycle | None) -> None:
    decision = decide_on(op, state)
    expected = TABLE[op, state]

    if not isinstance(expected, Transition):
        assert refusal_of(decision) == expected.code
        return
    assert decision.strategy is not None
    assert decision.strategy.state == (expected.during or expected.after)
    if decision.work is not None:
        ended = finish(decision.work, decision.strategy, None)
        assert ended.reply is not None
        assert ended.reply.ok
        assert ended.strategy is not None
        assert (None if ended.gone else ended.strategy.state) == expected.after


@pytest.mark.parametrize(
    ("op", "state", "code"),
    [
        (Op.START, Lifecycle.RUNNING, "ALREADY_RUNNING"),
        (Op.RESUME, Lifecycle.RUNNING, "ALREADY_RUNNING"),
        (Op.STOP, Lifecycle.STOPPED, "ALREADY_STOPPED"),
        (Op.PAUSE, Lifecycle.PAUSED, "ALREADY_PAUSED"),
        (Op.PAUSE, Lifecycle.STOPPED, "INVALID_STATE"),
        (Op.START, Lifecycle.PAUSED, "INVALID_STATE"),
        (Op.START, Lifecycle.ERROR, "INVALID_STATE"),
        (Op.START, Lifecycle.STARTING, "BUSY"),
        (Op.DELETE, Lifecycle.RUNNING, "INVALID_STATE"),
        (Op.DELETE, None, "NOT_FOUND"),
        (Op.CREATE, Lifecycle.STOPPED, "ALREADY_EXISTS"),
    ],
)
def test_codes_that_controllers_rely_on(op: Op, state: Lifecycle | None, code: str) -> None:
    assert refusal_of(decide_on(op, state)) == code


@pytest.mark.parametrize("state", [s for s in Lifecycle if s not in {Lifecycle.STOPPED, Lifecycle.STOPPING}])
def test_whatever_may_run_can_be_stopped(state: Lifecycle) -> None:
    assert isinstance(transition(Op.STOP, state, None), Transition)


@pytest.mark.parametrize("doing", sorted(SUPERSEDABLE))
def test_a_stop_supersedes_what_is_under_way(doing: Op) -> None:
    decision = decide_on(Op.STOP, strategy(Lifecycle.RUNNING, doing=doing))

    assert decision.work is not None
    assert decision.strategy is not None
    assert decision.strategy.state is Lifecycle.STOPPING


@pytest.mark.parametrize("op", [Op.PAUSE, Op.RESUME, Op.UPDATE, Op.START])
def test_nothing_else_overtakes(op: Op) -> None:
    held = strategy(Lifecycle.PAUSED if op is Op.RESUME else Lifecycle.RUNNING, doing=Op.UPDATE)

    assert refusal_of(decide_on(op, held)) in {"BUSY", "ALREADY_RUNNING"}


def test_a_busy_answer_says_when_to_ask_again() -> None:
    reply = decide_on(Op.START, Lifecycle.STARTING).reply

    assert reply is not None
    assert reply.meta is not None
    assert reply.meta.retryable
    assert reply.meta.retry_after_s == 0.5


def test_a_superseded_command_is_answered_that_a_stop_overtook_it() -> None:
    reply = superseded(Op.START, strategy(Lifecycle.STOPPING))

    assert reply.error_code == "CONFLICT"
    assert reply.details == {"reason": "a stop superseded it"}


# Create.


def test_a_created_strategy_is_stopped_and_answered_in_the_given_shape() -> None:
    decision = decide_on(Op.CREATE)

    assert decision.strategy is not None
    assert decision.strategy.state is Lifecycle.STOPPED
    assert decision.strategy.spec_hash == spec_hash()
    assert decision.reply is not None
    assert decision.reply.message == "Strategy created successfully"
    assert decision.reply.data == {"strategy_name": "mm", "strategy_id": "17"}


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"strategy_type": "no_such_thing"}, "UNKNOWN_STRATEGY_TYPE", "strategy_type"),
        ({"exchange": "mt_gox"}, "UNSUPPORTED_EXCHANGE", "exchange"),
        ({"trading_pair": "BTCUSDT"}, "INVALID_TRADING_PAIR", "trading_pair"),
        ({"trading_pair": "BTC-USDT-X"}, "INVALID_TRADING_PAIR", "trading_pair"),
        ({"config": {**CONFIG, "order_amount": 0}}, "INVALID_CONFIG", "order_amount"),
        ({"meta": meta(account="someone-elses")}, "INVALID_CONFIG", "account"),
    ],
)
def test_a_create_is_checked_and_the_field_named(fields: dict[str, Any], code: str, field: str) -> None:
    decision = decide_on(Op.CREATE, None, command(Op.CREATE, **fields))

    assert refusal_of(decision) == code
    assert decision.reply is not None
    assert decision.reply.details is not None
    assert decision.reply.details["field"] == field
    assert decision.reply.details["reason"]


def test_a_paper_exchange_is_known_where_its_model_is() -> None:
    given = command(Op.CREATE, exchange="binance_paper_trade")

    assert decide_on(Op.CREATE, None, given).strategy is not None


def test_a_create_that_would_be_another_spec_than_its_hash_says_is_a_conflict() -> None:
    given = command(Op.CREATE, meta=meta(spec_hash=spec_hash(bid_spread=Decimal("0.9"))))

    decision = decide_on(Op.CREATE, None, given)

    assert refusal_of(decision) == "CONFLICT"
    assert decision.reply is not None
    assert decision.reply.details is not None
    assert decision.reply.details["spec_hash"] == spec_hash()


def test_what_exists_is_answered_with_its_own_hash() -> None:
    reply = decide_on(Op.CREATE, Lifecycle.RUNNING).reply

    assert reply is not None
    assert reply.meta is not None
    assert reply.meta.spec_hash == spec_hash()


# Update.


def test_a_merge_keeps_the_keys_that_are_not_given() -> None:
    decision = decide_on(Op.UPDATE, Lifecycle.STOPPED)

    assert decision.strategy is not None
    assert decision.strategy.config == {**CONFIG, "bid_spread": Decimal("0.2")}
    assert decision.strategy.spec_hash == spec_hash(bid_spread=Decimal("0.2"))


def test_a_replace_removes_them() -> None:
    held = strategy(Lifecycle.STOPPED, config={**CONFIG, "order_levels": 3})
    given = command(Op.UPDATE, config=CONFIG, meta=meta(config_mode=ConfigMode.REPLACE))

    decision = decide_on(Op.UPDATE, held, given)

    assert decision.strategy is not None
    assert decision.strategy.config == CONFIG


@pytest.mark.parametrize("state", [Lifecycle.RUNNING, Lifecycle.PAUSED])
def test_a_hot_field_is_applied_by_the_runner_before_it_counts(state: Lifecycle) -> None:
    work, meanwhile = works_on(Op.UPDATE, state)

    assert meanwhile.config == CONFIG
    ended = finish(work, meanwhile, None).strategy
    assert ended is not None
    assert ended.config["bid_spread"] == Decimal("0.2")
    assert ended.state is state


@pytest.mark.parametrize("state", [Lifecycle.RUNNING, Lifecycle.PAUSED])
def test_a_field_that_needs_a_restart_is_refused_with_what_to_do_instead(state: Lifecycle) -> None:
    given = command(Op.UPDATE, config={"hanging_orders_enabled": True})

    decision = decide_on(Op.UPDATE, state, given)

    assert refusal_of(decision) == "INVALID_STATE"
    assert decision.reply is not None
    assert decision.reply.details == {
        "field": "hanging_orders_enabled",
        "reason": f"hanging_orders_enabled cannot change while the strategy is {state}: stop, update, then start it",
    }


def test_the_same_numbers_written_otherwise_change_nothing() -> None:
    given = command(Op.UPDATE, config={"bid_spread": Decimal("0.10"), "order_refresh_time": Decimal("30.0")})

    decision = decide_on(Op.UPDATE, Lifecycle.RUNNING, given)

    assert decision.work is None
    assert decision.reply is not None
    assert decision.reply.ok


def test_an_update_is_checked_as_a_whole() -> None:
    given = command(Op.UPDATE, config={"order_amount": Decimal(-1)})

    assert refusal_of(decide_on(Op.UPDATE, Lifecycle.RUNNING, given)) == "INVALID_CONFIG"


@pytest.mark.parametrize(
    "fields",
    [
        {"trading_pair": "ETH-USDT"},
        {"config": {"exchange": "kraken"}},
        {"config": {"strategy_type": "hedge"}},
    ],
)
def test_what_makes_a_strategy_that_one_cannot_change(fields: dict[str, Any]) -> None:
    given = command(Op.UPDATE, **fields)

    assert refusal_of(decide_on(Op.UPDATE, Lifecycle.STOPPED, given)) == "IMMUTABLE_FIELD"


def test_an_update_that_ends_in_another_spec_than_expected_is_a_conflict() -> None:
    drifted = strategy(Lifecycle.RUNNING, config={**CONFIG, "ask_spread": Decimal("7.7")})
    given = command(Op.UPDATE, meta=meta(spec_hash=spec_hash(bid_spread=Decimal("0.2"))))

    assert refusal_of(decide_on(Op.UPDATE, drifted, given)) == "CONFLICT"


def test_an_update_clears_an_error() -> None:
    held = strategy(Lifecycle.ERROR, message="crashed 3 times")

    decision = decide_on(Op.UPDATE, held)

    assert decision.strategy is not None
    assert decision.strategy.state is Lifecycle.STOPPED
    assert decision.strategy.message == ""


def test_a_basic_update_changes_the_hash_and_keeps_the_owner() -> None:
    held = strategy(Lifecycle.STOPPED, echo=StatusMeta(owner="us", commit="c1", epoch=3))

    changed = decide_on(Op.UPDATE, held).strategy

    assert changed is not None
    assert changed.spec_hash != held.spec_hash
    assert changed.echo == held.echo


def test_an_empty_extended_update_takes_a_strategy_over() -> None:
    given = command(Op.UPDATE, config={}, meta=meta(owner="we", commit="c2", epoch=4))

    changed = decide_on(Op.UPDATE, Lifecycle.RUNNING, given).strategy

    assert changed is not None
    assert changed.echo == StatusMeta(owner="we", commit="c2", epoch=4)
