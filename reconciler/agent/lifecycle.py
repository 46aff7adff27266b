"""
Command × state → the way to the next state, or why not. One table, every pair in it. Pure.

Rule 1: a bot that may hold orders is never dropped: only what is stopped, or stopped itself, can be deleted.
Rule 2: an error that a bot set itself stays until it is stopped, changed or deleted; no start passes over it.
Rule 3: stopping is possible in every state in which something may run.
"""

from __future__ import annotations

import msgspec

from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode


class Move(msgspec.Struct, frozen=True, gc=False):
    """A permitted command: the state while it is carried out, and after; None: there is no strategy."""

    during: Lifecycle | None
    after: Lifecycle | None


class No(msgspec.Struct, frozen=True, gc=False):
    """A command that the state forbids; `reason` says what to do instead."""

    code: ErrorCode
    reason: str


BUSY_RETRY_S = 0.5
"""When to ask again: a simulated start takes 0.3 s, and a real one is worth asking for twice a second."""

_RUNNING, _PAUSED, _STOPPED = Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STOPPED
_STARTING, _STOPPING, _ERROR = Lifecycle.STARTING, Lifecycle.STOPPING, Lifecycle.ERROR

_ABSENT = No(ErrorCode.NOT_FOUND, "there is no strategy of this name")
_EXISTS = No(ErrorCode.ALREADY_EXISTS, "there is a strategy of this name already")
_RUNS = No(ErrorCode.ALREADY_RUNNING, "it is running already")
_STANDS = No(ErrorCode.ALREADY_STOPPED, "it is stopped already")
_RESTS = No(ErrorCode.ALREADY_PAUSED, "it is paused already")
_IS_STARTING = No(ErrorCode.BUSY, "it is starting; ask again, or stop it")
_IS_STOPPING = No(ErrorCode.BUSY, "it is stopping; ask again")
_STOP_FIRST = No(ErrorCode.INVALID_STATE, "stop it first: what it holds at the exchange must not be dropped")
_START_IT = No(ErrorCode.INVALID_STATE, "it is stopped: start it instead")
_RESUME_IT = No(ErrorCode.INVALID_STATE, "it is paused: resume it instead")
_NOT_RUNNING = No(ErrorCode.INVALID_STATE, "it is stopped: only a running strategy can be paused")
_FAILED = No(ErrorCode.INVALID_STATE, "it stopped itself with an error: stop or update it, then start it")

TABLE: dict[tuple[Op, Lifecycle | None], Move | No] = {
    (Op.CREATE, None): Move(None, _STOPPED),
    (Op.CREATE, _STOPPED): _EXISTS,
    (Op.CREATE, _STARTING): _EXISTS,
    (Op.CREATE, _RUNNING): _EXISTS,
    (Op.CREATE, _PAUSED): _EXISTS,
    (Op.CREATE, _STOPPING): _EXISTS,
    (Op.CREATE, _ERROR): _EXISTS,
    (Op.START, None): _ABSENT,
    (Op.START, _STOPPED): Move(_STARTING, _RUNNING),
    (Op.START, _STARTING): _IS_STARTING,
    (Op.START, _RUNNING): _RUNS,
    (Op.START, _PAUSED): _RESUME_IT,
    (Op.START, _STOPPING): _IS_STOPPING,
    (Op.START, _ERROR): _FAILED,
    (Op.PAUSE, None): _ABSENT,
    (Op.PAUSE, _STOPPED): _NOT_RUNNING,
    (Op.PAUSE, _STARTING): _IS_STARTING,
    (Op.PAUSE, _RUNNING): Move(_RUNNING, _PAUSED),
    (Op.PAUSE, _PAUSED): _RESTS,
    (Op.PAUSE, _STOPPING): _IS_STOPPING,
    (Op.PAUSE, _ERROR): _FAILED,
    (Op.RESUME, None): _ABSENT,
    (Op.RESUME, _STOPPED): _START_IT,
    (Op.RESUME, _STARTING): _IS_STARTING,
    (Op.RESUME, _RUNNING): _RUNS,
    (Op.RESUME, _PAUSED): Move(_PAUSED, _RUNNING),
    (Op.RESUME, _STOPPING): _IS_STOPPING,
    (Op.RESUME, _ERROR): _FAILED,
    (Op.STOP, None): _ABSENT,
    (Op.STOP, _STOPPED): _STANDS,
    (Op.STOP, _STARTING): Move(_STOPPING, _STOPPED),
    (Op.STOP, _RUNNING): Move(_STOPPING, _STOPPED),
    (Op.STOP, _PAUSED): Move(_STOPPING, _STOPPED),
    (Op.STOP, _STOPPING): _IS_STOPPING,
    (Op.STOP, _ERROR): Move(_STOPPING, _STOPPED),
    (Op.UPDATE, None): _ABSENT,
    (Op.UPDATE, _STOPPED): Move(_STOPPED, _STOPPED),
    (Op.UPDATE, _STARTING): _IS_STARTING,
    (Op.UPDATE, _RUNNING): Move(_RUNNING, _RUNNING),
    (Op.UPDATE, _PAUSED): Move(_PAUSED, _PAUSED),
    (Op.UPDATE, _STOPPING): _IS_STOPPING,
    (Op.UPDATE, _ERROR): Move(_STOPPED, _STOPPED),
    (Op.DELETE, None): _ABSENT,
    (Op.DELETE, _STOPPED): Move(_STOPPED, None),
    (Op.DELETE, _STARTING): _STOP_FIRST,
    (Op.DELETE, _RUNNING): _STOP_FIRST,
    (Op.DELETE, _PAUSED): _STOP_FIRST,
    (Op.DELETE, _STOPPING): _IS_STOPPING,
    (Op.DELETE, _ERROR): Move(_ERROR, None),
}

SUPERSEDABLE = frozenset({Op.START, Op.PAUSE, Op.RESUME, Op.UPDATE})
"""Commands that a stop may overtake while a runner is busy with them."""


def way(op: Op, state: Lifecycle | None, doing: Op | None) -> Move | No:
    """How `op` goes on from `state`, None for no such strategy, while a runner is busy with `doing`."""
    found = TABLE[op, state]
    if doing is None or isinstance(found, No) or (op is Op.STOP and doing in SUPERSEDABLE):
        return found
    return No(ErrorCode.BUSY, f"it is busy with a {doing}; ask again")
