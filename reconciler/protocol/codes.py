"""Error codes of the wire and what a controller does about each (protocol.md, Error codes). Pure."""

from __future__ import annotations

from enum import StrEnum

from reconciler.model.change import Op


class Reaction(StrEnum):
    """What an error reply asks of the controller."""

    TERMINAL = "terminal"
    LOOK_AGAIN = "look again"
    RETRY = "retry"
    CONVERGED = "converged"


class ErrorCode(StrEnum):
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    INVALID_CONFIG = "INVALID_CONFIG"
    UNKNOWN_STRATEGY_TYPE = "UNKNOWN_STRATEGY_TYPE"
    UNSUPPORTED_EXCHANGE = "UNSUPPORTED_EXCHANGE"
    INVALID_TRADING_PAIR = "INVALID_TRADING_PAIR"
    UNSUPPORTED_OPERATION = "UNSUPPORTED_OPERATION"
    IMMUTABLE_FIELD = "IMMUTABLE_FIELD"
    UNAUTHORIZED = "UNAUTHORIZED"
    STALE_EPOCH = "STALE_EPOCH"
    INVALID_STATE = "INVALID_STATE"
    EXPIRED = "EXPIRED"
    CONFLICT = "CONFLICT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    BUSY = "BUSY"
    EXCHANGE_UNAVAILABLE = "EXCHANGE_UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    INTERNAL = "INTERNAL"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    ALREADY_STOPPED = "ALREADY_STOPPED"
    ALREADY_PAUSED = "ALREADY_PAUSED"


_REACTIONS: dict[str, Reaction] = {
    ErrorCode.INVALID_PAYLOAD: Reaction.TERMINAL,
    ErrorCode.INVALID_CONFIG: Reaction.TERMINAL,
    ErrorCode.UNKNOWN_STRATEGY_TYPE: Reaction.TERMINAL,
    ErrorCode.UNSUPPORTED_EXCHANGE: Reaction.TERMINAL,
    ErrorCode.INVALID_TRADING_PAIR: Reaction.TERMINAL,
    ErrorCode.UNSUPPORTED_OPERATION: Reaction.TERMINAL,
    ErrorCode.IMMUTABLE_FIELD: Reaction.TERMINAL,
    ErrorCode.UNAUTHORIZED: Reaction.TERMINAL,
    ErrorCode.STALE_EPOCH: Reaction.TERMINAL,
    ErrorCode.INVALID_STATE: Reaction.LOOK_AGAIN,
    ErrorCode.EXPIRED: Reaction.LOOK_AGAIN,
    ErrorCode.CONFLICT: Reaction.LOOK_AGAIN,
    ErrorCode.NOT_FOUND: Reaction.LOOK_AGAIN,
    ErrorCode.ALREADY_EXISTS: Reaction.LOOK_AGAIN,
    ErrorCode.ALREADY_RUNNING: Reaction.LOOK_AGAIN,
    ErrorCode.ALREADY_STOPPED: Reaction.LOOK_AGAIN,
    ErrorCode.ALREADY_PAUSED: Reaction.LOOK_AGAIN,
    ErrorCode.BUSY: Reaction.RETRY,
    ErrorCode.EXCHANGE_UNAVAILABLE: Reaction.RETRY,
    ErrorCode.TIMEOUT: Reaction.RETRY,
    ErrorCode.INTERNAL: Reaction.RETRY,
}
"""What a code asks for, unless it says that `op` has nothing left to do (`_CONVERGED`)."""

SPEC_IS_WRONG = frozenset(
    {
        ErrorCode.INVALID_PAYLOAD,
        ErrorCode.INVALID_CONFIG,
        ErrorCode.UNKNOWN_STRATEGY_TYPE,
        ErrorCode.UNSUPPORTED_EXCHANGE,
        ErrorCode.INVALID_TRADING_PAIR,
        ErrorCode.UNSUPPORTED_OPERATION,
        ErrorCode.IMMUTABLE_FIELD,
    }
)
"""Refusals that sending the same spec again does not change."""

_CONVERGED: set[tuple[Op, str]] = {
    (Op.START, ErrorCode.ALREADY_RUNNING),
    (Op.RESUME, ErrorCode.ALREADY_RUNNING),
    (Op.STOP, ErrorCode.ALREADY_STOPPED),
    (Op.PAUSE, ErrorCode.ALREADY_PAUSED),
    (Op.DELETE, ErrorCode.NOT_FOUND),
}


def reaction(op: Op, code: str, *, same_hash: bool = False) -> Reaction:
    """What to do when `op` was answered with `code`.

    `same_hash`: the live strategy already has the spec hash that `op` asked for. An unknown code is
    RETRY: it becomes terminal when the retries are used up.
    """
    exists_as_wished = op is Op.CREATE and code == ErrorCode.ALREADY_EXISTS and same_hash
    if exists_as_wished or (op, code) in _CONVERGED:
        return Reaction.CONVERGED
    return _REACTIONS.get(code, Reaction.RETRY)
