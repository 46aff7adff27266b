"""Every command in every state, and what becomes of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from reconciler.agent.decide import come_back, decide, finish, happened, overtaken
from reconciler.agent.model import ConfigChanged, Decision, StateChanged, Strategy, Work
from reconciler.agent.responses import Refusal
from reconciler.agent.transitions import SUPERSEDABLE, TABLE, Transition, transition
from reconciler.errors import CommandRejected
from reconciler.model.change import ConfigMode, Op
from reconciler.model.spec import Wish
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Command, StatusMeta
from tests.support.agent_builders import CONFIG, command, meta, rules, spec_hash, strategy

STATES = (None, *Lifecycle)


def decide_on(op: Op, held: Lifecycle | Strategy | None = None, given: Command | None = None) -> Decision:
    before = strategy(held) if isinstance(held, Lifecycle) else held
    return decide(op, given or command(op), before, rules(), lambda: "17")


def refusal_of(decision: Decision) -> str:
    assert decision.reply is not None, decision
    assert decision.strategy is None, "a refused command changes nothing"
    assert decision.work is None
    return decision.reply.error_code


def works_on(op: Op, state: Lifecycle, *, given: Command | None = None) -> tuple[Work, Strategy]:
    decision = decide_on(op, state, given)
    assert decision.work is not None
    assert decision.strategy is not None
    return decision.work, decision.strategy


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
def test_a_stop_overtakes_what_is_under_way(doing: Op) -> None:
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


def test_who_was_overtaken_hears_that_it_was_a_stop() -> None:
    reply = overtaken(Op.START, strategy(Lifecycle.STOPPING))

    assert reply.error_code == "CONFLICT"
    assert reply.details == {"reason": "a stop overtook it"}


# Create.


def test_a_created_strategy_is_stopped_and_told_in_the_given_shape() -> None:
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
def test_a_field_that_needs_a_restart_is_refused_with_the_way_around(state: Lifecycle) -> None:
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


def test_an_update_mends_an_error() -> None:
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


# Moves.


def test_a_start_is_answered_only_when_it_runs() -> None:
    decision = decide_on(Op.START, Lifecycle.STOPPED)

    assert decision.reply is None
    assert decision.strategy is not None
    assert decision.strategy.state is Lifecycle.STARTING


@pytest.mark.parametrize(
    ("op", "state", "wish"),
    [
        (Op.START, Lifecycle.STOPPED, Wish.RUNNING),
        (Op.PAUSE, Lifecycle.RUNNING, Wish.PAUSED),
        (Op.STOP, Lifecycle.RUNNING, Wish.STOPPED),
        (Op.RESUME, Lifecycle.PAUSED, Wish.PAUSED),
    ],
)
def test_what_a_crash_comes_back_to_is_the_safe_end_of_each_move(
    op: Op, state: Lifecycle, wish: Wish
) -> None:
    held = strategy(state, wish=Wish(state.value))

    decision = decide_on(op, held)

    assert decision.strategy is not None
    assert decision.strategy.wish is wish


@pytest.mark.parametrize("op", [Op.START, Op.RESUME])
def test_what_raises_risk_needs_the_spec_that_its_sender_expects(op: Op) -> None:
    state = Lifecycle.STOPPED if op is Op.START else Lifecycle.PAUSED
    given = command(op, meta=meta(spec_hash="sha256:other"))

    assert refusal_of(decide_on(op, state, given)) == "CONFLICT"


@pytest.mark.parametrize("op", [Op.STOP, Op.PAUSE])
def test_what_lowers_risk_does_not(op: Op) -> None:
    given = command(op, meta=meta(spec_hash="sha256:other"))

    assert decide_on(op, Lifecycle.RUNNING, given).work is not None


def test_a_failed_start_leaves_it_stopped_and_says_why() -> None:
    work, meanwhile = works_on(Op.START, Lifecycle.STOPPED)

    decision = finish(work, meanwhile, CommandRejected("EXCHANGE_UNAVAILABLE", "no route to binance"))

    assert decision.strategy is not None
    assert (decision.strategy.state, decision.strategy.wish) == (Lifecycle.STOPPED, Wish.STOPPED)
    assert decision.strategy.message == "start failed: no route to binance"
    assert decision.reply is not None
    assert decision.reply.error_code == "EXCHANGE_UNAVAILABLE"
    assert decision.reply.meta is not None
    assert decision.reply.meta.retryable


def test_a_start_of_what_cannot_run_as_it_is_ends_in_error() -> None:
    work, meanwhile = works_on(Op.START, Lifecycle.STOPPED)

    refusal = Refusal(ErrorCode.INVALID_CONFIG, "it came up without a strategy", lasting=True)
    ended = finish(work, meanwhile, refusal).strategy

    assert ended is not None
    assert (ended.state, ended.wish) == (Lifecycle.ERROR, Wish.STOPPED)
    assert ended.message == "start failed: it came up without a strategy"


@pytest.mark.parametrize(
    ("op", "state"),
    [(Op.PAUSE, Lifecycle.RUNNING), (Op.RESUME, Lifecycle.PAUSED), (Op.UPDATE, Lifecycle.RUNNING)],
)
def test_a_failed_move_leaves_it_as_it_was(op: Op, state: Lifecycle) -> None:
    work, meanwhile = works_on(op, state)

    ended = finish(work, meanwhile, Refusal(ErrorCode.TIMEOUT, "too slow")).strategy

    assert ended is not None
    assert (ended.state, ended.wish, ended.config, ended.doing) == (state, Wish(state.value), CONFIG, None)


def test_a_failed_stop_says_that_orders_may_be_open() -> None:
    work, meanwhile = works_on(Op.STOP, Lifecycle.RUNNING)

    ended = finish(work, meanwhile, Refusal(ErrorCode.TIMEOUT, "too slow")).strategy

    assert ended is not None
    assert ended.state is Lifecycle.ERROR
    assert [condition.type for condition in ended.conditions] == ["OrdersMayBeOpen"]


def test_a_runners_unknown_code_becomes_internal() -> None:
    work, meanwhile = works_on(Op.START, Lifecycle.STOPPED)

    reply = finish(work, meanwhile, CommandRejected("WEIRD", "?")).reply

    assert reply is not None
    assert reply.error_code == "INTERNAL"


def test_a_bot_that_fails_while_it_is_being_resumed_is_no_success() -> None:
    work, meanwhile = works_on(Op.RESUME, Lifecycle.PAUSED)
    broken = happened(StateChanged("mm", Lifecycle.ERROR, "drawdown"), meanwhile).strategy
    assert broken is not None

    decision = finish(work, broken, None)

    assert decision.reply is not None
    assert decision.reply.error_code == "INVALID_STATE"
    assert decision.strategy is not None
    assert decision.strategy.state is Lifecycle.ERROR


def test_a_deleted_strategy_is_gone_when_the_runner_has_cleared_up() -> None:
    work, meanwhile = works_on(Op.DELETE, Lifecycle.STOPPED)

    assert finish(work, meanwhile, None).gone


# What happens by itself.


def test_a_change_by_hand_shows_in_the_hash() -> None:
    changed = happened(ConfigChanged("mm", {**CONFIG, "bid_spread": 5}), strategy(Lifecycle.RUNNING)).strategy

    assert changed is not None
    assert changed.spec_hash == spec_hash(bid_spread=5)


def test_a_bot_stopped_by_hand_stays_stopped_after_a_restart() -> None:
    held = strategy(Lifecycle.RUNNING, wish=Wish.RUNNING)

    changed = happened(StateChanged("mm", Lifecycle.STOPPED, "by hand"), held).strategy

    assert changed is not None
    assert changed.wish is Wish.STOPPED


def test_a_crash_that_is_restarted_keeps_its_wish() -> None:
    held = strategy(Lifecycle.RUNNING, wish=Wish.RUNNING)

    changed = happened(StateChanged("mm", Lifecycle.STARTING, "crashed"), held).strategy

    assert changed is not None
    assert (changed.state, changed.wish) == (Lifecycle.STARTING, Wish.RUNNING)


def test_a_bot_that_dies_while_it_is_stopped_is_just_stopped() -> None:
    held = strategy(Lifecycle.STOPPING, doing=Op.STOP)

    assert happened(StateChanged("mm", Lifecycle.ERROR, "crash"), held) == Decision()


def test_news_of_a_strategy_that_is_gone_is_none() -> None:
    assert happened(StateChanged("mm", Lifecycle.ERROR, "crash"), None) == Decision()


# After a restart.


@pytest.mark.parametrize(
    ("wish", "found", "op", "paused"),
    [
        (Wish.RUNNING, None, Op.START, False),
        (Wish.PAUSED, None, Op.START, True),
        (Wish.STOPPED, None, None, False),
        (Wish.RUNNING, Lifecycle.RUNNING, None, False),
        (Wish.RUNNING, Lifecycle.PAUSED, None, False),
        (Wish.PAUSED, Lifecycle.RUNNING, Op.PAUSE, False),
        (Wish.PAUSED, Lifecycle.PAUSED, None, False),
        (Wish.STOPPED, Lifecycle.RUNNING, Op.STOP, False),
        (Wish.STOPPED, Lifecycle.PAUSED, Op.STOP, False),
    ],
)
def test_what_an_earlier_life_left_comes_back_and_nothing_starts_twice(
    wish: Wish, found: Lifecycle | None, op: Op | None, *, paused: bool
) -> None:
    decision = come_back(strategy(Lifecycle.STARTING, wish=wish), found)

    assert (decision.work and decision.work.op) == op
    assert (decision.work is not None and decision.work.paused) == paused


def test_an_error_stays_after_a_restart() -> None:
    assert come_back(strategy(Lifecycle.ERROR, wish=Wish.RUNNING), None) == Decision()


def test_a_strategy_that_was_cut_off_while_stopping_is_stopped() -> None:
    settled = come_back(strategy(Lifecycle.STOPPING), None).strategy

    assert settled is not None
    assert settled.state is Lifecycle.STOPPED


def test_what_cannot_come_back_is_an_error_and_not_silence() -> None:
    decision = come_back(strategy(Lifecycle.RUNNING, wish=Wish.RUNNING), None)
    assert decision.work is not None
    assert decision.strategy is not None

    ended = finish(decision.work, decision.strategy, Refusal(ErrorCode.EXCHANGE_UNAVAILABLE, "down")).strategy

    assert ended is not None
    assert ended.state is Lifecycle.ERROR
