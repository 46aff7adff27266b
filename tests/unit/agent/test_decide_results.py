"""What a runner's results, a bot's own events and a restart of the agent make of a strategy."""

from __future__ import annotations

import pytest

from reconciler.agent.decide import apply_event, finish, recover
from reconciler.agent.model import ConfigChanged, Decision, StateChanged
from reconciler.agent.responses import Refusal
from reconciler.errors import CommandRejected
from reconciler.model.change import Op
from reconciler.model.spec import Wish
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from tests.support.agent_builders import CONFIG, command, meta, spec_hash, strategy
from tests.support.agent_decisions import decide_on, refusal_of, works_on

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

    refusal = Refusal(ErrorCode.INVALID_CONFIG, "it started without a strategy", lasting=True)
    ended = finish(work, meanwhile, refusal).strategy

    assert ended is not None
    assert (ended.state, ended.wish) == (Lifecycle.ERROR, Wish.STOPPED)
    assert ended.message == "start failed: it started without a strategy"


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
    broken = apply_event(StateChanged("mm", Lifecycle.ERROR, "drawdown"), meanwhile).strategy
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
    changed = apply_event(
        ConfigChanged("mm", {**CONFIG, "bid_spread": 5}), strategy(Lifecycle.RUNNING)
    ).strategy

    assert changed is not None
    assert changed.spec_hash == spec_hash(bid_spread=5)


def test_a_bot_stopped_by_hand_stays_stopped_after_a_restart() -> None:
    held = strategy(Lifecycle.RUNNING, wish=Wish.RUNNING)

    changed = apply_event(StateChanged("mm", Lifecycle.STOPPED, "by hand"), held).strategy

    assert changed is not None
    assert changed.wish is Wish.STOPPED


def test_a_crash_that_is_restarted_keeps_its_wish() -> None:
    held = strategy(Lifecycle.RUNNING, wish=Wish.RUNNING)

    changed = apply_event(StateChanged("mm", Lifecycle.STARTING, "crashed"), held).strategy

    assert changed is not None
    assert (changed.state, changed.wish) == (Lifecycle.STARTING, Wish.RUNNING)


def test_a_bot_that_dies_while_it_is_stopped_is_just_stopped() -> None:
    held = strategy(Lifecycle.STOPPING, doing=Op.STOP)

    assert apply_event(StateChanged("mm", Lifecycle.ERROR, "crash"), held) == Decision()


def test_news_of_a_strategy_that_is_gone_is_none() -> None:
    assert apply_event(StateChanged("mm", Lifecycle.ERROR, "crash"), None) == Decision()


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
    decision = recover(strategy(Lifecycle.STARTING, wish=wish), found)

    assert (decision.work and decision.work.op) == op
    assert (decision.work is not None and decision.work.paused) == paused


def test_an_error_stays_after_a_restart() -> None:
    assert recover(strategy(Lifecycle.ERROR, wish=Wish.RUNNING), None) == Decision()


def test_a_strategy_that_was_cut_off_while_stopping_is_stopped() -> None:
    settled = recover(strategy(Lifecycle.STOPPING), None).strategy

    assert settled is not None
    assert settled.state is Lifecycle.STOPPED


def test_what_cannot_recover_is_an_error_and_not_silence() -> None:
    decision = recover(strategy(Lifecycle.RUNNING, wish=Wish.RUNNING), None)
    assert decision.work is not None
    assert decision.strategy is not None

    ended = finish(decision.work, decision.strategy, Refusal(ErrorCode.EXCHANGE_UNAVAILABLE, "down")).strategy

    assert ended is not None
    assert ended.state is Lifecycle.ERROR
