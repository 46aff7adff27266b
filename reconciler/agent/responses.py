"""
Decisions → responses in the given shape.

Rule 1: no clock, file or socket: the same decision gives the same response.
Rule 2: one decision may answer several senders, so whom a response goes to is filled in last (`addressed`).
Rule 3: a Basic peer gets the given shape and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from reconciler.errors import CommandRejected
from reconciler.model.change import Op
from reconciler.protocol.codes import ErrorCode, Reaction, reaction
from reconciler.protocol.messages import CommandMeta, Reply, ReplyMeta

_DONE = {
    Op.CREATE: "Strategy created successfully",
    Op.UPDATE: "Strategy updated successfully",
    Op.START: "Strategy started successfully",
    Op.STOP: "Strategy stopped successfully",
    Op.PAUSE: "Strategy paused successfully",
    Op.RESUME: "Strategy resumed successfully",
    Op.DELETE: "Strategy deleted successfully",
}

_REFUSED = {
    ErrorCode.INVALID_PAYLOAD: "Invalid command",
    ErrorCode.INVALID_CONFIG: "Invalid strategy configuration",
    ErrorCode.UNKNOWN_STRATEGY_TYPE: "Unknown strategy type",
    ErrorCode.UNSUPPORTED_EXCHANGE: "Unsupported exchange",
    ErrorCode.INVALID_TRADING_PAIR: "Invalid trading pair",
    ErrorCode.UNSUPPORTED_OPERATION: "Unsupported operation",
    ErrorCode.IMMUTABLE_FIELD: "Field cannot be changed",
    ErrorCode.UNAUTHORIZED: "Not authorized",
    ErrorCode.STALE_EPOCH: "A newer controller has taken over",
    ErrorCode.INVALID_STATE: "Not possible in the strategy's present state",
    ErrorCode.EXPIRED: "Command has expired",
    ErrorCode.CONFLICT: "Strategy is not what the command expects",
    ErrorCode.NOT_FOUND: "Strategy not found",
    ErrorCode.ALREADY_EXISTS: "Strategy already exists",
    ErrorCode.BUSY: "Strategy is busy",
    ErrorCode.EXCHANGE_UNAVAILABLE: "Exchange unavailable",
    ErrorCode.TIMEOUT: "Timed out",
    ErrorCode.INTERNAL: "Internal error",
    ErrorCode.ALREADY_RUNNING: "Strategy is already running",
    ErrorCode.ALREADY_STOPPED: "Strategy is already stopped",
    ErrorCode.ALREADY_PAUSED: "Strategy is already paused",
}


class Refusal(CommandRejected):
    """Why a command is not carried out, as its sender reads it.

    `field`: the key of the payload that is wrong, empty if none is. `details`: more keys for `details`.
    `lasting`: a retry cannot succeed, only a person or another spec helps: the strategy is in error.
    """

    def __init__(  # noqa: PLR0913  (everything that a response says of a refusal)
        self,
        code: ErrorCode,
        reason: str,
        *,
        field: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(code, reason)
        self.details: dict[str, Any] = {"field": field} if field else {}
        self.details["reason"] = reason
        self.details.update(details or {})
        self.retry_after_s = retry_after_s
        self.lasting = lasting


def as_refusal(error: CommandRejected) -> Refusal:
    """Convert what a runner raised for the wire; a code that the wire does not know becomes INTERNAL."""
    if isinstance(error, Refusal):
        return error
    known = error.code in ErrorCode.__members__
    return Refusal(ErrorCode(error.code) if known else ErrorCode.INTERNAL, error.reason)


def done(op: Op, name: str, strategy_id: str, spec_hash: str | None) -> Reply:
    """Build a success. Its `meta` has no address yet."""
    return Reply(
        status="success",
        message=_DONE[op],
        data={"strategy_name": name, "strategy_id": strategy_id},
        meta=ReplyMeta(op=op, strategy_name=name, spec_hash=spec_hash),
    )


def refused(op: Op | None, name: str, refusal: Refusal, spec_hash: str | None = None) -> Reply:
    """Build an error. `op` None: there is no such operation. Its `meta` has no address yet."""
    code = ErrorCode(refusal.code)
    return Reply(
        status="error",
        message=_REFUSED[code],
        error_code=code,
        details=refusal.details,
        meta=ReplyMeta(
            op=op or "",
            strategy_name=name,
            spec_hash=spec_hash,
            retryable=op is not None and reaction(op, code) is Reaction.RETRY,
            retry_after_s=refusal.retry_after_s,
        ),
    )


def accepted(op: Op, name: str) -> Reply:
    """Build the first reply to an Extended peer whose command takes long; the final reply follows."""
    return Reply(
        status="success",
        message=f"Working on it: {op}",
        data={"strategy_name": name},
        meta=ReplyMeta(op=op, strategy_name=name, phase="accepted"),
    )


def addressed(reply: Reply, meta: CommandMeta | None, *, replayed: bool = False) -> Reply:
    """Address `reply` to the sender of a command with `meta`; without one it is reduced to the given shape."""
    if meta is None or reply.meta is None:
        return msgspec.structs.replace(reply, meta=None)
    address = msgspec.structs.replace(reply.meta, request_id=meta.request_id, replayed=replayed)
    return msgspec.structs.replace(reply, meta=address)
