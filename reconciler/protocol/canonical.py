"""Canonical JSON and the hashes over it: the same value gives the same bytes, however it was written. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

import msgspec

from reconciler.model.spec import Config, StrategySpec

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""As many digits and as large an exponent as there are: normalising never rounds and never overflows."""

_PLAIN_DIGITS = 15
"""Whole numbers up to here are written as plain integers, larger ones in scientific notation."""

_LARGE = 10**_PLAIN_DIGITS
_AS_IS = frozenset({str, bool, type(None)})
"""Types that most values of a config have and that no number hides behind."""

_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")
_wire_encoder = msgspec.json.Encoder(decimal_format="number")


def canonical(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """Return `value` with each number in its one canonical form; 1, 1.0 and 1e0 become the same."""
    if type(value) is Decimal:
        return _number(value)
    if isinstance(value, dict):
        return {
            key: item
            if (kind := type(item)) in _AS_IS or (kind is int and -_LARGE < item < _LARGE)
            else canonical(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) or (isinstance(value, int) and abs(value) >= _LARGE):
        return _number(Decimal(value))
    return value


def _number(value: Decimal) -> int | Decimal:
    short = value.normalize(_EXACT)
    if short.adjusted() < _PLAIN_DIGITS and short == short.to_integral_value():
        return int(short)
    return short


def canonical_json(value: Any) -> bytes:  # noqa: ANN401  (any JSON value)
    """Encode `value` as canonical JSON: sorted keys, no spaces, canonical numbers, UTF-8."""
    return _encoder.encode(canonical(value))


def wire_json(value: Any) -> bytes:  # noqa: ANN401  (any JSON value)
    """Encode `value` for the wire, key order and digits of numbers kept."""
    return _wire_encoder.encode(value)


def hash_of(  # noqa: PLR0913  (the fields that make a spec what it is)
    *, name: str, strategy_type: str, exchange: str, trading_pair: str, account: str, config: Config
) -> str:
    """`spec_hash` of protocol.md: sha256 over the canonical JSON of what a bot runs."""
    body = {
        "strategy_name": name,
        "strategy_type": strategy_type,
        "exchange": exchange,
        "trading_pair": trading_pair,
        "account": account,
        "config": config,
    }
    return "sha256:" + hashlib.sha256(canonical_json(body)).hexdigest()


def spec_hash(spec: StrategySpec) -> str:
    """`hash_of` a spec. State, labels, wave and the like are not part of it."""
    return hash_of(
        name=spec.name,
        strategy_type=spec.strategy_type,
        exchange=spec.exchange,
        trading_pair=spec.trading_pair,
        account=spec.account,
        config=spec.config,
    )


def inventory_digest(names: Iterable[str]) -> str:
    """Digest of an inventory: sha256 (hex) over the sorted names joined by newline."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
