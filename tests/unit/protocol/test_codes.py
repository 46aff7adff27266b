from __future__ import annotations

import itertools

import pytest

from reconciler.model.change import Op
from reconciler.protocol.codes import ErrorCode, Reaction, reaction

TERMINAL = [
    "INVALID_PAYLOAD",
    "INVALID_CONFIG",
    "UNKNOWN_STRATEGY_TYPE",
    "UNSUPPORTED_EXCHANGE",
    "INVALID_TRADING_PAIR",
    "UNSUPPORTED_OPERATION",
    "IMMUTABLE_FIELD",
    "UNAUTHORIZED",
    "STALE_EPOCH",
]
LOOK_AGAIN = ["INVALID_STATE", "EXPIRED", "CONFLICT", "NOT_FOUND", "ALREADY_EXISTS"]
RETRY = ["BUSY", "EXCHANGE_UNAVAILABLE", "TIMEOUT", "INTERNAL"]
ALREADY = ["ALREADY_RUNNING", "ALREADY_STOPPED", "ALREADY_PAUSED"]


def test_the_codes_are_those_of_the_protocol() -> None:
    assert {*TERMINAL, *LOOK_AGAIN, *RETRY, *ALREADY} == set(ErrorCode)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [(TERMINAL, Reaction.TERMINAL), (LOOK_AGAIN, Reaction.LOOK_AGAIN), (RETRY, Reaction.RETRY)],
)
def test_a_code_asks_for_its_groups_reaction(codes: list[str], expected: Reaction) -> None:
    assert {reaction(Op.UPDATE, code) for code in codes} == {expected}


CONVERGED = {
    (Op.START, "ALREADY_RUNNING"),
    (Op.RESUME, "ALREADY_RUNNING"),
    (Op.STOP, "ALREADY_STOPPED"),
    (Op.PAUSE, "ALREADY_PAUSED"),
    (Op.DELETE, "NOT_FOUND"),
}


@pytest.mark.parametrize(("op", "code"), list(itertools.product(Op, ErrorCode)))
def test_only_an_answer_that_leaves_the_command_nothing_to_do_converges(op: Op, code: str) -> None:
    assert (reaction(op, code) is Reaction.CONVERGED) == ((op, code) in CONVERGED)


def test_a_create_that_finds_the_very_same_spec_has_converged() -> None:
    assert reaction(Op.CREATE, "ALREADY_EXISTS", same_hash=True) is Reaction.CONVERGED
    assert reaction(Op.CREATE, "ALREADY_EXISTS") is Reaction.LOOK_AGAIN
    assert reaction(Op.UPDATE, "ALREADY_EXISTS", same_hash=True) is Reaction.LOOK_AGAIN


@pytest.mark.parametrize("code", ["", "SOMETHING_NEW", "already_running"])
def test_an_unknown_code_is_tried_again(code: str) -> None:
    assert reaction(Op.START, code) is Reaction.RETRY
