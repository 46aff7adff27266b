"""A step is done when its answer and the bots' own word say so; never because a message was published."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.fleet.confirm import Next, judge
from reconciler.model.change import STATE_AFTER, Op, Step
from reconciler.model.report import Outcome
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Lifecycle, ObservedStrategy, Presence
from reconciler.protocol.messages import Reply, ReplyMeta

SPEC = StrategySpec("btc", "pure_market_making", "binance", "BTC-USDT", {"bid_spread": Decimal("0.1")})
CREATE = Step(Op.CREATE, spec=SPEC, spec_hash="sha256:new")
SUCCESS = Reply(status="success", meta=ReplyMeta(phase="applied"))
BASIC_SUCCESS = Reply(status="success", message="Strategy created successfully")


def seen(state=Lifecycle.STOPPED, spec_hash="sha256:new", config=None, message=""):
    return ObservedStrategy("btc", state, spec_hash=spec_hash, config=config, message=message)


def verdict(step, *, presence=None, now=None, **more):
    if presence is None:
        presence = Presence.PRESENT if now is not None else Presence.ABSENT
    known = {"before": None, "reply": None, "extended": True} | more
    return judge(step, now=now, presence=presence, **known)


def error(code, **more):
    return Reply(status="error", message="no", error_code=code, **more)


def test_an_extended_answer_alone_is_waited_on_until_the_status_agrees() -> None:
    assert verdict(CREATE, now=None, reply=SUCCESS).next is Next.WAIT
    assert verdict(CREATE, now=seen(), reply=SUCCESS).next is Next.DONE


def test_a_newer_status_confirms_without_an_answer() -> None:
    assert verdict(CREATE, before=None, now=seen()).next is Next.DONE


def test_a_status_from_before_the_command_proves_nothing() -> None:
    old = seen(Lifecycle.RUNNING)

    assert verdict(Step(Op.START), before=old, now=old).next is Next.WAIT


def test_a_status_from_before_the_command_and_an_answer_confirm() -> None:
    old = seen()

    assert verdict(
        Step(Op.UPDATE, config={}, spec_hash="sha256:new"), before=old, now=old, reply=SUCCESS
    ).next is (Next.DONE)


def test_a_basic_answer_alone_confirms() -> None:
    assert verdict(CREATE, reply=BASIC_SUCCESS, extended=False).next is Next.DONE


def test_accepted_is_not_applied() -> None:
    accepted = Reply(status="success", meta=ReplyMeta(phase="accepted"))

    assert verdict(Step(Op.START), before=None, now=None, reply=accepted, extended=False).next is Next.WAIT


@pytest.mark.parametrize(("op", "state"), STATE_AFTER.items())
def test_each_state_command_is_done_in_its_own_state_only(op: Op, state: Lifecycle) -> None:
    for lifecycle in Lifecycle:
        done = verdict(Step(op), before=seen(), now=seen(lifecycle)).next is Next.DONE
        assert done == (lifecycle is state)


def test_a_bot_that_ends_in_error_fails_the_start_with_its_own_words() -> None:
    result = verdict(Step(Op.START), before=seen(), now=seen(Lifecycle.ERROR, message="no such exchange"))

    assert (result.next, result.message) == (Next.FAILED, "no such exchange")


def test_a_wrong_hash_is_not_what_was_asked_for() -> None:
    assert verdict(CREATE, now=seen(spec_hash="sha256:other")).next is Next.WAIT


def test_without_a_hash_the_fields_decide() -> None:
    assert verdict(CREATE, now=seen(spec_hash=None, config={"bid_spread": Decimal("0.10")})).next is Next.DONE
    assert verdict(CREATE, now=seen(spec_hash=None, config={"bid_spread": Decimal("0.2")})).next is Next.WAIT


def test_deletion_needs_proof_of_absence_or_an_answer() -> None:
    delete = Step(Op.DELETE)

    assert verdict(delete, before=seen(), presence=Presence.UNKNOWN).next is Next.WAIT
    assert verdict(delete, before=seen(), presence=Presence.ABSENT).next is Next.DONE
    assert verdict(delete, before=seen(), presence=Presence.UNKNOWN, reply=SUCCESS).next is Next.DONE
    assert verdict(delete, now=seen(), presence=Presence.PRESENT, reply=SUCCESS).next is Next.WAIT


@pytest.mark.parametrize(
    ("op", "code", "expected"),
    [
        (Op.START, "ALREADY_RUNNING", Next.DONE),
        (Op.DELETE, "NOT_FOUND", Next.DONE),
        (Op.START, "NOT_FOUND", Next.LOOK_AGAIN),
        (Op.CREATE, "ALREADY_EXISTS", Next.LOOK_AGAIN),
        (Op.CREATE, "INVALID_CONFIG", Next.FAILED),
        (Op.START, "BUSY", Next.RETRY),
        (Op.START, "NEVER_HEARD_OF", Next.RETRY),
    ],
)
def test_an_error_code_decides_what_comes_next(op: Op, code: str, expected: Next) -> None:
    assert verdict(Step(op), now=None, reply=error(code)).next is expected


def test_a_strategy_that_exists_with_the_wanted_hash_is_created() -> None:
    assert verdict(CREATE, now=seen(), reply=error("ALREADY_EXISTS")).next is Next.DONE


def test_a_refusal_names_field_and_reason() -> None:
    reply = error("INVALID_CONFIG", details={"field": "order_amount", "reason": "must be above 0"})

    assert verdict(CREATE, reply=reply).message == "no (order_amount: must be above 0)"


def test_what_was_never_answered_is_reported_as_unknown_not_failed() -> None:
    assert verdict(CREATE).outcome is Outcome.UNKNOWN
