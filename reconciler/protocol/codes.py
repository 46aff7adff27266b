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


_LOOK_AGAIN = {
    ErrorCode.INVALID_STATE,
    ErrorCode.EXPIRED,
    ErrorCode.CONFLICT,
    ErrorCode.NOT_FOUND,
    ErrorCode.ALREADY_EXISTS,
}
_RETRY = {ErrorCode.BUSY, ErrorCode.EXCHANGE_UNAVAILABLE, ErrorCode.TIMEOUT, ErrorCode.INTERNAL}
_CONVERGED = {
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
    if (op, code) in _CONVERGED or (op is Op.CREATE and code == ErrorCode.ALREADY_EXISTS and same_hash):
        return Reaction.CONVERGED
    if code in _LOOK_AGAIN:
        return Reaction.LOOK_AGAIN
    known = code in ErrorCode.__members__
    if code in _RETRY or not known:
        return Reaction.RETRY
    return Reaction.TERMINAL if code not in {c for _, c in _CONVERGED} else Reaction.LOOK_AGAIN
