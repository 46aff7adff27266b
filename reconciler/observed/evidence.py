"""One message about one strategy → ObservedStrategy: what it says, and nothing that it does not. Pure."""

from __future__ import annotations

from sys import intern
from typing import Any

import msgspec

from reconciler.model.change import STATE_AFTER, Op, Step
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Lifecycle, ObservedStrategy
from reconciler.protocol.messages import Status


class _Origin(msgspec.Struct, gc=False):
    """As much of a status as says whose it is; what is wrong with any of it has to be looked at whole."""

    strategy_name: str
    state: Lifecycle
    agent: str = ""
    session: str = ""
    seq: int = 0


_origin = msgspec.json.Decoder(_Origin)


def is_copy(payload: bytes) -> bool:
    """Whether what came on `{root}/status` is an agent's copy, for Basic listeners, of a status that has a topic
    of its own. Told without reading all of it: while a fleet is created that is a third of all messages.
    """
    try:
        origin = _origin.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return bool(origin.agent and origin.session)


def reported(status: Status, now: float) -> ObservedStrategy:
    """What a status message says. Strings that a whole fleet shares are kept once."""
    meta = status.meta
    return ObservedStrategy(
        status.strategy_name,
        status.state,
        _shared(status.strategy_type),
        _shared(status.exchange),
        _shared(status.trading_pair),
        _shared(status.account),
        status.config,
        _id(status.strategy_id),
        _text(status.message) or "",
        status.spec_hash,
        _shared(meta.owner) if meta else None,
        _shared(status.agent),
        _shared(status.session),
        status.seq,
        _text(status.observed_at) or _text(status.timestamp),
        now,
        status.conditions,
    )


def _shared(text: str | None) -> str | None:
    return intern(text) if text else None


def _text(value: Any) -> str | None:  # noqa: ANN401  (a display field of somebody else's message)
    return value if isinstance(value, str) else None


def _id(value: Any) -> str | None:  # noqa: ANN401  (peers number their strategies, or name them)
    return str(value) if isinstance(value, str | int) else None


def says_the_same(new: ObservedStrategy, old: ObservedStrategy) -> bool:
    """Whether `new` differs from `old` only in when it was said."""
    return new == msgspec.structs.replace(
        old, seq=new.seq, session=new.session, observed_at=new.observed_at, seen_at=new.seen_at
    )


def after_success(
    name: str, step: Step, before: ObservedStrategy | None, now: float
) -> ObservedStrategy | None:
    """What `step` leaves behind when a Basic peer answered it with success; None if nothing can be said.

    A DELETE leaves nothing behind: its caller forgets the strategy.
    """
    if step.op is Op.CREATE and step.spec is not None:
        return _created(step.spec, now)
    if step.op in STATE_AFTER:
        return _moved(name, STATE_AFTER[step.op], before, now)
    if step.op is Op.UPDATE and before is not None:
        config = {**(before.config or {}), **(step.config or {})} if before.config is not None else None
        return msgspec.structs.replace(before, config=config, seen_at=now)
    return None


def _created(spec: StrategySpec, now: float) -> ObservedStrategy:
    return ObservedStrategy(
        spec.name,
        Lifecycle.STOPPED,
        strategy_type=spec.strategy_type,
        exchange=spec.exchange,
        trading_pair=spec.trading_pair,
        config=spec.config,
        seen_at=now,
    )


def _moved(name: str, state: Lifecycle, before: ObservedStrategy | None, now: float) -> ObservedStrategy:
    if before is None:
        return ObservedStrategy(name, state, seen_at=now)
    return msgspec.structs.replace(before, state=state, message="", seen_at=now)
