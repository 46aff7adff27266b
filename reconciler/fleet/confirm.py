"""
Step × what was seen before and now × answer → done, failed, look again, or still waiting.

Rule 1: pure; who waits and how long is `apply`.
Rule 2: a published message proves nothing; an answer or a newer status does.
Rule 3: an Extended peer's word is its status; its answer alone is waited on until the status agrees.
Rule 4: a Basic peer may answer and never report, or report and never answer: either one will do.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from reconciler.model.change import STATE_AFTER, Op, Step
from reconciler.model.report import Outcome
from reconciler.model.state import Lifecycle, ObservedStrategy, Presence
from reconciler.plan.diff import same_value
from reconciler.protocol.codes import Reaction, reaction
from reconciler.protocol.messages import Reply


class Next(StrEnum):
    """What a step's caller does now."""

    DONE = "done"
    FAILED = "failed"
    LOOK_AGAIN = "look again"
    RETRY = "retry"
    WAIT = "wait"


_ENDS = {Next.DONE: Outcome.CONFIRMED, Next.FAILED: Outcome.FAILED}


class StepVerdict(msgspec.Struct, frozen=True, gc=False):
    """`code` and `message` are the peer's own; `retry_after_s` its wish, None if it has none."""

    next: Next
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None

    @property
    def outcome(self) -> Outcome:
        """What a step that ended on this verdict is reported as."""
        return _ENDS.get(self.next, Outcome.UNKNOWN)


_DONE = StepVerdict(Next.DONE)
_WAIT = StepVerdict(Next.WAIT)


def judge(  # noqa: PLR0913  (everything that bears on a step, by name)
    step: Step,
    *,
    before: ObservedStrategy | None,
    now: ObservedStrategy | None,
    presence: Presence,
    reply: Reply | None,
    extended: bool,
) -> StepVerdict:
    """Say how `step` stands. `before`: as seen when it was sent; `now`, `presence`: as seen at this moment.

    `presence` counts for a DELETE only.
    """
    if reply is not None and not reply.ok:
        return _on_error(step, now, reply)
    answered = reply is not None and (reply.meta is None or reply.meta.phase == "applied")
    if step.op is Op.DELETE:
        gone = presence is Presence.ABSENT or (answered and (presence is Presence.UNKNOWN or not extended))
        return _DONE if gone else _WAIT
    newer = now is not before
    if reached(step, now) and (newer or reply is not None):
        return _DONE
    if answered and not extended:
        return _DONE
    if newer and step.op in STATE_AFTER and now is not None and now.state is Lifecycle.ERROR:
        return StepVerdict(Next.FAILED, "", now.message or "the bot reports an error")
    return _WAIT


def _on_error(step: Step, now: ObservedStrategy | None, reply: Reply) -> StepVerdict:
    same_hash = now is not None and now.spec_hash is not None and now.spec_hash == step.spec_hash
    match reaction(step.op, reply.error_code, same_hash=same_hash):
        case Reaction.CONVERGED:
            return _DONE
        case Reaction.LOOK_AGAIN:
            next_ = Next.LOOK_AGAIN
        case Reaction.RETRY:
            next_ = Next.RETRY
        case Reaction.TERMINAL:
            next_ = Next.FAILED
    # The peer's message with the field and reason that it names (given shape: details.field, details.reason).
    details = reply.details or {}
    named = ": ".join(str(details[key]) for key in ("field", "reason") if details.get(key))
    message = f"{reply.message} ({named})" if named else reply.message
    after_s = reply.meta.retry_after_s if reply.meta else None
    return StepVerdict(next_, reply.error_code, message, after_s)


def reached(step: Step, now: ObservedStrategy | None) -> bool:
    """Whether what is seen is what `step` was to bring about; for a DELETE ask for its presence instead."""
    if now is None:
        return False
    if step.op in STATE_AFTER:
        return now.state is STATE_AFTER[step.op]
    if step.spec_hash is not None and now.spec_hash is not None:
        return now.spec_hash == step.spec_hash
    # Every wanted field has to be there; what a bot fills in besides them does not matter.
    live, wanted = now.config, step.spec.config if step.spec is not None else step.config
    return live is None or all(
        key in live and same_value(value, live[key]) for key, value in (wanted or {}).items()
    )
