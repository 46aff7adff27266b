"""What was observed of a strategy → a digest, by which a saved plan notices that its world has moved. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from reconciler.model.change import Change
from reconciler.model.state import ObservedStrategy
from reconciler.protocol.canonical import canonical_json


def digest_of(live: ObservedStrategy | None) -> str:
    """Digest of what a plan is made from: no times, sequence numbers or messages. None: it does not exist."""
    return _sha256(live and [getattr(live, name) for name in _COUNTS])


_COUNTS = (
    "state",
    "strategy_type",
    "exchange",
    "trading_pair",
    "account",
    "config",
    "spec_hash",
    "owner",
)


def digest_of_all(changes: Iterable[Change]) -> str:
    """Digest over all that `changes` touch, in no particular order."""
    return _sha256(sorted([*change.key, change.live_digest] for change in changes))


def _sha256(value: Any) -> str:  # noqa: ANN401  (any JSON value)
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()
