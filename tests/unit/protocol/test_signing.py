from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Op
from reconciler.protocol.messages import CommandMessage, CommandMeta, decode_command, encode
from reconciler.protocol.signing import Authenticator, Authenticity, NonceMemory, sign, signature, verified
from reconciler.protocol.times import SKEW, format_time
from reconciler.protocol.topics import Topics

TOPIC = Topics("hummingbot").command(Op.UPDATE)
KEYS = {"ctl": "a-long-secret", "other": "another-secret"}
NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)


def meta(request_id: str = "r1", *, ends: datetime = NOW + timedelta(minutes=1)) -> CommandMeta:
    return CommandMeta(v=1, request_id=request_id, expires_at=format_time(ends))


def signed(command_meta: CommandMeta | None = None, **config: Any) -> bytes:
    command = CommandMessage(
        strategy_name="mm", config=config or {"bid_spread": 1}, meta=command_meta or meta()
    )
    return encode(sign(TOPIC, command, api_key="ctl", api_secret=KEYS["ctl"]))


def judge(
    authenticator: Authenticator, payload: bytes, *, topic: str = TOPIC, now: datetime = NOW
) -> Authenticity:
    return authenticator.judge(topic, payload, decode_command(Op.UPDATE, payload).meta, now)


def with_keys() -> Authenticator:
    return Authenticator(KEYS, NonceMemory())


def changed(payload: bytes, **meta_changes: Any) -> bytes:
    body = json.loads(payload)
    body["meta"].update(meta_changes)
    return json.dumps(body).encode()


def test_a_signed_command_is_verified_as_it_was_sent() -> None:
    assert verified(TOPIC, signed(), KEYS)


def test_white_space_key_order_and_spelling_of_numbers_may_change_on_the_way() -> None:
    body = json.loads(signed(bid_spread=1))
    body["config"]["bid_spread"] = 1.0
    reordered = dict(reversed(body.items()))

    assert verified(TOPIC, json.dumps(reordered, indent=2).encode(), KEYS)


def test_a_key_that_we_do_not_know_is_covered_too() -> None:
    body = json.loads(signed())
    body["later"] = "added on the way"

    assert not verified(TOPIC, json.dumps(body).encode(), KEYS)


def test_a_later_controllers_unknown_key_does_not_break_its_signature() -> None:
    body = {
        "strategy_name": "mm",
        "config": {},
        "later": [1.50],
        "meta": {"v": 1, "api_key": "ctl", "new": True},
    }
    body["meta"]["signature"] = signature(TOPIC, json.dumps(body).encode(), KEYS["ctl"])  # type: ignore[index]

    assert verified(TOPIC, json.dumps(body).encode(), KEYS)


@pytest.mark.parametrize(
    "payload",
    [
        changed(signed(), request_id="r2"),
        changed(signed(), api_key="other"),
        changed(signed(), api_key="nobody"),
        changed(signed(), api_key=7),
        changed(signed(), signature=""),
        changed(signed(), signature="é"),
        changed(signed(), signature=None),
        signed().replace(b'"mm"', b'"eth"'),
        b'{"strategy_name":"mm"}',
        b'{"strategy_name":"mm","meta":5}',
        b"not json",
    ],
)
def test_anything_else_is_not_verified(payload: bytes) -> None:
    assert not verified(TOPIC, payload, KEYS)


def test_a_signature_is_good_for_one_topic_only() -> None:
    assert not verified(Topics("hummingbot").command(Op.DELETE), signed(), KEYS)


def test_an_unknown_key_is_refused_even_if_signed_with_an_empty_secret() -> None:
    command = CommandMessage(strategy_name="mm", config={}, meta=meta())

    assert not verified(TOPIC, encode(sign(TOPIC, command, api_key="nobody", api_secret="")), KEYS)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_never_verified_and_never_raise(payload: bytes) -> None:
    assert not verified(TOPIC, payload, KEYS)


@pytest.mark.parametrize("unsignable", [None, CommandMeta(v=1, request_id="r")])
def test_a_command_without_an_end_is_not_signed(unsignable: CommandMeta | None) -> None:
    with pytest.raises(ValueError, match="expires_at"):
        sign(TOPIC, CommandMessage(strategy_name="mm", meta=unsignable), api_key="ctl", api_secret="s")


def test_a_genuine_command_is_taken_once() -> None:
    authenticator = with_keys()

    assert judge(authenticator, signed()) is Authenticity.GENUINE
    assert judge(authenticator, signed()) is Authenticity.REPLAYED


def test_an_honest_retry_has_a_new_request_id_and_is_taken() -> None:
    authenticator = with_keys()

    judge(authenticator, signed(meta("r1")))

    assert judge(authenticator, signed(meta("r2"))) is Authenticity.GENUINE


def test_a_replay_is_refused_until_its_age_refuses_it() -> None:
    authenticator = with_keys()
    ends = NOW + timedelta(seconds=10)
    payload = signed(meta(ends=ends))

    judge(authenticator, payload)

    assert judge(authenticator, payload, now=ends + SKEW) is Authenticity.REPLAYED
    assert judge(authenticator, payload, now=ends + SKEW + timedelta(seconds=1)) is Authenticity.EXPIRED


def test_a_signed_command_needs_an_end() -> None:
    body = {"strategy_name": "mm", "config": {}, "meta": {"v": 1, "request_id": "r", "api_key": "ctl"}}
    body["meta"]["signature"] = signature(TOPIC, json.dumps(body).encode(), KEYS["ctl"])  # type: ignore[index]

    assert judge(with_keys(), json.dumps(body).encode()) is Authenticity.UNAUTHORIZED


def test_a_forged_command_does_not_use_up_the_request_id() -> None:
    authenticator = with_keys()

    assert judge(authenticator, changed(signed(), signature="0" * 64)) is Authenticity.UNAUTHORIZED
    assert judge(authenticator, signed()) is Authenticity.GENUINE


def test_without_keys_only_the_age_counts() -> None:
    authenticator = Authenticator({}, NonceMemory())
    late = encode(CommandMessage(strategy_name="mm", config={}, meta=meta(ends=NOW - timedelta(hours=1))))

    assert judge(authenticator, b'{"strategy_name":"mm","config":{}}') is Authenticity.GENUINE
    assert judge(authenticator, late) is Authenticity.EXPIRED


def test_nonces_are_forgotten_when_they_are_too_old_to_matter() -> None:
    nonces = NonceMemory()
    nonces.first_use("old", NOW, NOW)

    nonces.first_use("new", NOW + timedelta(hours=1), NOW + SKEW + timedelta(seconds=1))

    assert set(nonces.remembered) == {"new"}


def test_nonces_survive_a_restart() -> None:
    before = NonceMemory()
    before.first_use("r", NOW, NOW)

    after = NonceMemory(before.remembered.items())

    assert not after.first_use("r", NOW, NOW)


def test_the_secret_is_nowhere_in_what_is_sent() -> None:
    assert KEYS["ctl"].encode() not in signed()
