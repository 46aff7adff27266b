"""Who may ask, what is a repetition, and where answers go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.agent.model import SavedState, StateChanged, Strategy
from reconciler.agent.processor import CommandProcessor, Effects
from reconciler.agent.responses import Refusal
from reconciler.model.change import Op
from reconciler.model.spec import Wish
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import CommandMessage, Reply, encode
from reconciler.protocol.signing import sign
from reconciler.protocol.times import format_time
from reconciler.protocol.topics import Topics
from reconciler.transport.base import Message, Properties
from tests.support.agent_builders import command, meta, rules, strategy

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
TOPICS = Topics("hummingbot")
KEYS = {"key-1": "secret-1"}


def processor_with(
    *strategies: Strategy, api_keys: dict[str, str] | None = None, **left: Any
) -> CommandProcessor:
    saved = SavedState(strategies=strategies, **left)
    return CommandProcessor(TOPICS, rules(), saved, api_keys=api_keys or {}, new_id=lambda: "17")


def send(
    processor: CommandProcessor,
    op: Op | str,
    given: CommandMessage | bytes | None = None,
    *,
    properties: Properties | None = None,
    now: datetime = NOW,
) -> Effects:
    """Take one command in and return what follows from it."""
    if given is None:
        given = command(Op(op))
    payload = given if isinstance(given, bytes) else encode(given)
    message = Message(f"hummingbot/strategy/{op}", payload, properties=properties)
    processor.process(op, message, now)
    return processor.take_effects()


def answer(effects: Effects) -> Reply:
    assert len(effects.replies) == 1, effects
    return effects.replies[0][1]


def signed(op: Op, **fields: Any) -> CommandMessage:
    expires_at = format_time(NOW + timedelta(seconds=30))
    plain = command(op, meta=meta(**{"expires_at": expires_at, **fields}))
    return sign(TOPICS.command(op), plain, api_key="key-1", api_secret="secret-1")


# Where answers go, and in which shape.


def test_a_basic_command_is_answered_in_the_given_shape_and_nothing_more() -> None:
    reply = answer(send(processor_with(), Op.CREATE))

    assert encode(reply) == (
        b'{"status":"success","message":"Strategy created successfully",'
        b'"data":{"strategy_name":"mm","strategy_id":"17"}}'
    )


def test_a_basic_refusal_too() -> None:
    reply = answer(send(processor_with(), Op.CREATE, command(Op.CREATE, trading_pair="BTC")))

    assert encode(reply) == (
        b'{"status":"error","message":"Invalid trading pair","error_code":"INVALID_TRADING_PAIR",'
        b'"details":{"field":"trading_pair","reason":"there is no - between base and quote: write BASE-QUOTE as the '
        b"exchange's connector names the market, such as BTC-USDT or kPEPE-USD\"}}"
    )


@pytest.mark.parametrize(
    ("response_topic", "reply_to", "expected"),
    [
        ("hummingbot/response/five", "hummingbot/response/body", "hummingbot/response/five"),
        (None, "hummingbot/response/body", "hummingbot/response/body"),
        (None, "", "hummingbot/response"),
    ],
)
def test_an_answer_goes_to_the_first_address_given(
    response_topic: str | None, reply_to: str, expected: str
) -> None:
    properties = Properties(response_topic=response_topic, correlation_data=b"c1")

    effects = send(
        processor_with(), Op.CREATE, command(Op.CREATE, meta=meta(reply_to=reply_to)), properties=properties
    )

    route, _ = effects.replies[0]
    assert (route.topic, route.correlation_data) == (expected, b"c1")


@pytest.mark.parametrize("topic", ["hummingbot/strategy/stop", "hummingbot/response/+", "elsewhere"])
def test_nobody_makes_the_agent_publish_where_he_likes(topic: str) -> None:
    processor = processor_with()

    effects = send(processor, Op.CREATE, command(Op.CREATE, meta=meta(reply_to=topic)))

    route, reply = effects.replies[0]
    assert route.topic == "hummingbot/response"
    assert reply.error_code == "INVALID_PAYLOAD"
    assert not processor.strategies


def test_what_cannot_be_read_is_answered_to_the_sender_that_can_be_recognised() -> None:
    payload = b'{"strategy_name":"mm","meta":{"request_id":"r7","reply_to":"hummingbot/response/me"}}'

    effects = send(processor_with(), Op.START, payload)

    route, reply = effects.replies[0]
    assert route.topic == "hummingbot/response/me"
    assert reply.error_code == "INVALID_PAYLOAD"
    assert reply.meta is not None
    assert reply.meta.request_id == "r7"


@pytest.mark.parametrize("payload", [b"", b"[]", b"nonsense", b'{"strategy_name":"a/b"}', b'{"meta":3}'])
def test_nonsense_is_refused_and_changes_nothing(payload: bytes) -> None:
    effects = send(processor_with(strategy()), Op.START, payload)

    assert answer(effects).error_code == "INVALID_PAYLOAD"
    assert not effects.works


def test_the_field_that_cannot_be_read_is_named() -> None:
    reply = answer(send(processor_with(), Op.CREATE, b'{"strategy_name":"mm","config":3}'))

    assert reply.details is not None
    assert reply.details["field"] == "config"


def test_an_unknown_operation_is_refused_as_unsupported() -> None:
    assert answer(send(processor_with(), "liquidate", b"{}")).error_code == "UNSUPPORTED_OPERATION"


# Age, fencing, signatures.


@pytest.mark.parametrize(("late_s", "code"), [(29, ""), (31, "EXPIRED")])
def test_an_expired_command_is_refused_beyond_thirty_seconds_of_skew(late_s: int, code: str) -> None:
    given = command(Op.CREATE, meta=meta(expires_at=format_time(NOW - timedelta(seconds=late_s))))

    assert answer(send(processor_with(), Op.CREATE, given)).error_code == code


def test_a_lower_epoch_is_refused_with_the_highest() -> None:
    processor = processor_with(epoch=9)

    reply = answer(send(processor, Op.CREATE, command(Op.CREATE, meta=meta(epoch=8))))

    assert reply.error_code == "STALE_EPOCH"
    assert reply.details is not None
    assert reply.details["epoch"] == 9


def test_a_higher_epoch_is_written_down_even_if_its_command_is_refused() -> None:
    processor = processor_with(epoch=9)

    effects = send(processor, Op.START, command(Op.START, meta=meta(epoch=10)))

    assert answer(effects).error_code == "NOT_FOUND"
    assert effects.entry.epoch == processor.epoch == 10


def test_a_command_without_epoch_is_not_fenced() -> None:
    assert answer(send(processor_with(epoch=9), Op.CREATE, command(Op.CREATE, meta=meta()))).ok


@pytest.mark.parametrize("given", [command(Op.CREATE), command(Op.CREATE, meta=meta(api_key="key-1"))])
def test_with_keys_an_unsigned_command_is_refused(given: CommandMessage) -> None:
    assert answer(send(processor_with(api_keys=KEYS), Op.CREATE, given)).error_code == "UNAUTHORIZED"


def test_a_signed_command_is_taken_once_and_its_double_is_only_answered() -> None:
    processor = processor_with(api_keys=KEYS)
    given = signed(Op.CREATE)

    first = send(processor, Op.CREATE, given)
    second = send(processor, Op.CREATE, given)

    assert answer(first).ok
    assert list(first.entry.nonces) == ["r1"]
    assert answer(second).ok
    assert not second.entry.strategies


def test_a_signed_command_that_was_refused_is_not_tried_again() -> None:
    processor = processor_with(api_keys=KEYS)
    given = signed(Op.START)

    assert answer(send(processor, Op.START, given)).error_code == "NOT_FOUND"
    assert send(processor, Op.START, given).replies == []


def test_a_signature_is_good_for_its_topic_only() -> None:
    processor = processor_with(strategy(), api_keys=KEYS)

    assert answer(send(processor, Op.START, signed(Op.STOP))).error_code == "UNAUTHORIZED"


# Repetition.


def test_a_retry_gets_the_same_answer_and_nothing_happens_again() -> None:
    processor = processor_with()
    send(processor, Op.CREATE, command(Op.CREATE, meta=meta(idempotency_key="k")))

    effects = send(processor, Op.CREATE, command(Op.CREATE, meta=meta(idempotency_key="k", request_id="r2")))

    reply = answer(effects)
    assert reply.ok
    assert reply.meta is not None
    assert (reply.meta.request_id, reply.meta.replayed) == ("r2", True)
    assert not effects.entry


def test_answers_survive_a_restart() -> None:
    before = send(processor_with(), Op.CREATE, command(Op.CREATE, meta=meta(idempotency_key="k")))

    processor = processor_with(answers=tuple(before.entry.answers.items()))

    assert answer(send(processor, Op.CREATE, command(Op.CREATE, meta=meta(idempotency_key="k")))).ok
    assert not processor.strategies


@pytest.mark.parametrize(("later", "replayed"), [(23, True), (25, False)])
def test_answers_are_kept_for_a_day(later: int, *, replayed: bool) -> None:
    processor = processor_with()
    given = command(Op.CREATE, meta=meta(idempotency_key="k"))
    send(processor, Op.CREATE, given)

    effects = send(processor, Op.CREATE, given, now=NOW + timedelta(hours=later))

    assert answer(effects).ok is replayed


def test_old_answers_are_forgotten_in_the_file_too() -> None:
    processor = processor_with()
    send(processor, Op.CREATE, command(Op.CREATE, meta=meta(idempotency_key="k")))

    processor.expire_replies(NOW + timedelta(hours=25))

    assert processor.take_effects().entry.forgotten == ["k"]


def test_a_refusal_is_not_replayed_since_the_world_may_have_changed() -> None:
    processor = processor_with()
    given = command(Op.START, meta=meta(idempotency_key="k"))
    assert answer(send(processor, Op.START, given)).error_code == "NOT_FOUND"
    send(processor, Op.CREATE)

    assert send(processor, Op.START, given).works


def test_a_key_of_another_command_is_a_conflict() -> None:
    processor = processor_with()
    send(processor, Op.CREATE, command(Op.CREATE, meta=meta(idempotency_key="k")))

    effects = send(processor, Op.DELETE, command(Op.DELETE, meta=meta(idempotency_key="k")))

    assert answer(effects).error_code == "CONFLICT"
    assert not effects.works


def test_a_repetition_while_it_starts_gets_the_result_of_the_same_start() -> None:
    processor = processor_with(strategy())
    first = send(processor, Op.START, command(Op.START, meta=meta(idempotency_key="k")))
    again = send(processor, Op.START, command(Op.START, meta=meta(idempotency_key="k", request_id="r2")))
    assert (len(first.works), again.works, again.replies) == (1, [], [])

    processor.finish(first.works[0], None, NOW)

    replies = [reply for _, reply in processor.take_effects().replies]
    assert [reply.ok for reply in replies] == [True, True]
    assert [reply.meta and reply.meta.request_id for reply in replies] == ["r1", "r2"]


def test_another_start_meanwhile_is_refused_with_a_time_to_retry() -> None:
    processor = processor_with(strategy())
    send(processor, Op.START, command(Op.START, meta=meta(idempotency_key="k")))

    other = send(processor, Op.START, command(Op.START, meta=meta(idempotency_key="l")))

    assert answer(other).error_code == "BUSY"


def test_a_command_that_takes_long_is_first_accepted_and_a_basic_one_is_not() -> None:
    processor = processor_with(strategy(), strategy(name="basic"))
    extended = send(processor, Op.START, command(Op.START, meta=meta())).works[0]
    basic = send(processor, Op.START, command(Op.START, name="basic")).works[0]

    processor.report_accepted(extended)
    processor.report_accepted(basic)

    replies = [reply for _, reply in processor.take_effects().replies]
    assert [reply.meta and reply.meta.phase for reply in replies] == ["accepted"]


def test_a_stop_answers_those_whose_start_it_overtakes() -> None:
    processor = processor_with(strategy())
    start = send(processor, Op.START).works[0]

    stop = send(processor, Op.STOP)

    assert answer(stop).error_code == "CONFLICT"
    processor.finish(start, None, NOW)
    assert not processor.take_effects().entry, "the overtaken start concludes nothing"
    processor.finish(stop.works[0], None, NOW)
    assert processor.strategies["mm"].state is Lifecycle.STOPPED


def test_a_failed_start_may_be_asked_for_again_under_its_key() -> None:
    processor = processor_with(strategy())
    given = command(Op.START, meta=meta(idempotency_key="k"))
    work = send(processor, Op.START, given).works[0]
    processor.finish(work, Refusal(ErrorCode.EXCHANGE_UNAVAILABLE, "down"), NOW)
    assert answer(processor.take_effects()).error_code == "EXCHANGE_UNAVAILABLE"

    assert send(processor, Op.START, given).works


# What else happens.


def test_a_deleted_strategy_is_removed_and_reported_as_deleted() -> None:
    processor = processor_with(strategy())
    work = send(processor, Op.DELETE).works[0]

    processor.finish(work, None, NOW)

    effects = processor.take_effects()
    assert effects.entry.strategies == {"mm": None}
    assert effects.changed == ["mm"]
    assert answer(effects).data == {"strategy_name": "mm", "strategy_id": "17"}


def test_what_a_bot_does_without_a_command_is_written_down_and_published() -> None:
    processor = processor_with(strategy(Lifecycle.RUNNING))

    processor.apply_event(StateChanged("mm", Lifecycle.ERROR, "kill switch"))

    effects = processor.take_effects()
    assert effects.changed == [processor.strategies["mm"]] == list(effects.entry.strategies.values())


def test_what_should_run_comes_back_when_the_agent_does() -> None:
    processor = processor_with(strategy(Lifecycle.RUNNING, wish=Wish.RUNNING), strategy(name="idle"))

    processor.recover({})

    assert [(work.op, work.name) for work in processor.take_effects().works] == [(Op.START, "mm")]
