"""
A plan as a file, to be applied later exactly as it was shown. Bytes in, bytes out; who writes them is the CLI.

Rule 1: numbers come back exactly as they went.
Rule 2: a saved plan whose world has moved is refused, and it is said what moved.
Rule 3: no secrets on disk.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from reconciler.errors import PlanStale, ReconcilerError
from reconciler.model.change import Plan
from reconciler.protocol.canonical import wire_json
from reconciler.redact import secret_paths

FORMAT = "reconciler.saved-plan/1"

_AGAIN = "make it again: reconciler plan --out FILE"
_NAMED = 5


class _Envelope(msgspec.Struct, frozen=True):
    format: str


class _Saved(msgspec.Struct, frozen=True):
    format: str
    plan: Plan


_decoder = msgspec.json.Decoder(_Saved, float_hook=Decimal)


def dump(plan: Plan) -> bytes:
    """Write `plan` as JSON.

    Raises:
        ReconcilerError: a config in it has a field that looks like a secret.
    """
    for change in plan.changes:
        configs = [step.config for step in change.steps]
        configs += [change.desired.config] if change.desired else []
        found = [path for config in configs for path in secret_paths(config, "config")]
        found += [path for field in change.fields for path in secret_paths(field.before, field.path)]
        if found:
            raise ReconcilerError(
                f"the plan is not saved: {found[0]} of {change.key} looks like a secret",
                fix="take it out of the strategy file; the agent holds credentials, `account` names them",
            )
    return msgspec.json.format(wire_json(_Saved(FORMAT, plan)), indent=1)


def load(data: bytes) -> Plan:
    """Read a plan that `dump` wrote.

    Raises:
        ReconcilerError: it is no saved plan, is damaged, or was written by another version.
    """
    try:
        found = msgspec.json.decode(data, type=_Envelope).format
        if found == FORMAT:
            return _decoder.decode(data).plan
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReconcilerError(f"this is not a saved plan, or it is damaged: {error}", fix=_AGAIN) from error
    raise ReconcilerError(f"the saved plan has format {found!r}; this version reads {FORMAT!r}", fix=_AGAIN)


def refuse_if_moved(saved: Plan, current: Plan) -> None:
    """Let `saved` be applied. `current`: the plan as it would be made now.

    What `saved` does not touch may have changed; it is not part of it.

    Raises:
        PlanStale: another commit is in force, or a strategy that it touches is no longer as it was.
    """
    if saved.commit != current.commit:
        raise PlanStale(
            f"the plan was made from commit {saved.commit[:12]}, and {current.commit[:12]} is in force",
            fix=_AGAIN,
        )
    now = {change.key: change for change in current.acting}
    # Another live state, or another way to go from the same one (a file, the inventory or a setting changed).
    moved = [
        change
        for change in saved.acting
        if (other := now.get(change.key)) is None
        or (other.live_digest, other.steps) != (change.live_digest, change.steps)
    ]
    if moved:
        names = ", ".join(str(change.key) for change in moved[:_NAMED])
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        raise PlanStale(f"no longer as they were when the plan was made: {names}{more}", fix=_AGAIN)
