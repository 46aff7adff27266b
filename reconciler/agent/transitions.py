"""
Command × state → the transition to the next state, or why it is rejected. One table holds every pair.

Rule 1: a bot that may hold orders is never dropped: only what is stopped, or stopped itself, can be deleted.
Rule 2: an error that a bot set itself stays until the strategy is stopped, updated or deleted; no start clears it.
Rule 3: a stop is allowed in every state in which something may run.
"""

from __future__ import annotations

import msgspec

from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A permitted command: the state while it is carried out, and after; None: there is no strategy."""

    during: Lifecycle | None
    after: Lifecycle | None


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A command that the state forbids; `reason` says what to do instead."""

    code: ErrorCode
    reason: str


BUSY_RETRY_S = 0.5
"""After how long a rejected sender may retry: a simulated start takes 0.3 s, a real one a few seconds."""

_RUNNING, _PAUSED, _STOPPED = Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STOPPED
_STARTING, _STOPPING, _ERROR = Lifecycle.STARTING, Lifecycle.STOPPING, Lifecycle.ERROR

_ABSENT = Rejected(ErrorCode.NOT_FOUND, "there is no strategy of this name")
_EXISTS = Rejected(ErrorCode.ALREADY_EXISTS, "there is a strategy of this name already")
_ALREADY_RUNNING = Rejected(ErrorCode.ALREADY_RUNNING, "it is running already")
_ALREADY_STOPPED = Rejected(ErrorCode.ALREADY_STOPPED, "it is stopped already")
_ALREADY_PAUSED = Rejected(ErrorCode.ALREADY_PAUSED, "it is paused already")
_IS_STARTING = Rejected(ErrorCode.BUSY, "it is starting; ask again, or stop it")
_IS_STOPPING = Rejected(ErrorCode.BUSY, "it is stopping; ask again")
_STOP_FIRST = Rejected(
    ErrorCode.INVALID_STATE, "stop it first: what it holds at the exchange must not be dropped"
)
_START_IT = Rejected(ErrorCode.INVALID_STATE, "it is stopped: start it instead")
_RESUME_IT = Rejected(ErrorCode.INVALID_STATE, "it is paused: resume it instead")
_NOT_RUNNING = Rejected(ErrorCode.INVALID_STATE, "it is stopped: only a running strategy can be paused")
_FAILED = Rejected(
    ErrorCode.INVALID_STATE, "it stopped itself with an error: stop or update it, then start it"
)

TABLE: dict[tuple[Op, Lifecycle | None], Transition | Rejected] = {
    (Op.CREATE, None): Transition(None, _STOPPED),
    (Op.CREATE, _STOPPED): _EXISTS,
    (Op.CREATE, _STARTING): _EXISTS,
    (Op.CREATE, _RUNNING): _EXISTS,
    (Op.CREATE, _PAUSED): _EXISTS,
    (Op.CREATE, _STOPPING): _EXISTS,
    (Op.CREATE, _ERROR): _EXISTS,
    (Op.START, None): _ABSENT,
    (Op.START, _STOPPED): Transition(_STARTING, _RUNNING),
    (Op.START, _STARTING): _IS_STARTING,
    (Op.START, _RUNNING): _ALREADY_RUNNING,
    (Op.START, _PAUSED): _RESUME_IT,
    (Op.START, _STOPPING): _IS_STOPPING,
    (Op.START, _ERROR): _FAILED,
    (Op.PAUSE, None): _ABSENT,
    (Op.PAUSE, _STOPPED): _NOT_RUNNING,
    (Op.PAUSE, _STARTING): _IS_STARTING,
    (Op.PAUSE, _RUNNING): Transition(_RUNNING, _PAUSED),
    (Op.PAUSE, _PAUSED): _ALREADY_PAUSED,
    (Op.PAUSE, _STOPPING): _IS_STOPPING,
    (Op.PAUSE, _ERROR): _FAILED,
    (Op.RESUME, None): _ABSENT,
    (Op.RESUME, _STOPPED): _START_IT,
    (Op.RESUME, _STARTING): _IS_STARTING,
    (Op.RESUME, _RUNNING): _ALREADY_RUNNING,
    (Op.RESUME, _PAUSED): Transition(_PAUSED, _RUNNING),
    (Op.RESUME, _STOPPING): _IS_STOPPING,
    (Op.RESUME, _ERROR): _FAILED,
    (Op.STOP, None): _ABSENT,
    (Op.STOP, _STOPPED): _ALREADY_STOPPED,
    (Op.STOP, _STARTING): Transition(_STOPPING, _STOPPED),
    (Op.STOP, _RUNNING): Transition(_STOPPING, _STOPPED),
    (Op.STOP, _PAUSED): Transition(_STOPPING, _STOPPED),
    (Op.STOP, _STOPPING): _IS_STOPPING,
    (Op.STOP, _ERROR): Transition(_STOPPING, _STOPPED),
    (Op.UPDATE, None): _ABSENT,
    (Op.UPDATE, _STOPPED): Transition(_STOPPED, _STOPPED),
    (Op.UPDATE, _STARTING): _IS_STARTING,
    (Op.UPDATE, _RUNNING): Transition(_RUNNING, _RUNNING),
    (Op.UPDATE, _PAUSED): Transition(_PAUSED, _PAUSED),
    (Op.UPDATE, _STOPPING): _IS_STOPPING,
    (Op.UPDATE, _ERROR): Transition(_STOPPED, _STOPPED),
    (Op.DELETE, None): _ABSENT,
    (Op.DELETE, _STOPPED): Transition(_STOPPED, None),
    (Op.DELETE, _STARTING): _STOP_FIRST,
    (Op.DELETE, _RUNNING): _STOP_FIRST,
    (Op.DELETE, _PAUSED): _STOP_FIRST,
    (Op.DELETE, _STOPPING): _IS_STOPPING,
    (Op.DELETE, _ERROR): Transition(_ERROR, None),
}

SUPERSEDABLE = frozenset({Op.START, Op.PAUSE, Op.RESUME, Op.UPDATE})
"""Commands that a stop may supersede while a runner is busy with them."""


def transition(op: Op, state: Lifecycle | None, doing: Op | None) -> Transition | Rejected:
    """Look up what `op` does in `state` (None: there is no such strategy) while a runner is busy with `doing`."""
    found = TABLE[op, state]
    if doing is None or isinstance(found, Rejected) or (op is Op.STOP and doing in SUPERSEDABLE):
        return found
    return Rejected(ErrorCode.BUSY, f"it is busy with a {doing}; ask again")
