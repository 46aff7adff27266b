"""RFC 3339 times as messages carry them, read and written. No clock is read. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SKEW = timedelta(seconds=30)
"""How far two clocks may be apart before an `expires_at` is believed (protocol.md, Order)."""

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


@lru_cache(maxsize=256)
def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; the result is in UTC. Digits after the microsecond are dropped.

    Cached: commands of one second all end in the same one.

    Raises:
        ValueError: it is no RFC 3339 time with an offset.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 time such as 2024-03-20T10:00:00Z")
    day, minute, second, fraction, offset = found.groups()
    leap = second == "60"
    moment = datetime.fromisoformat(
        f"{day}T{minute}:{'59' if leap else second}{fraction or ''}{offset.upper()}"
    )
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time at the edge of the calendar") from None
    return in_utc + timedelta(seconds=leap)


def format_time(moment: datetime) -> str:
    """Write `moment`, which must know its offset, to the second and in UTC: 2024-03-20T10:00:00Z."""
    if moment.utcoffset() is None:
        raise ValueError("a time without an offset says nothing to another machine")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=64)
def format_second(unix_s: int) -> str:
    """Write a Unix time: 1763874000 is 2025-11-23T05:00:00Z. Cached: many messages are of one second."""
    return format_time(datetime.fromtimestamp(unix_s, UTC))


def expired(expires_at: datetime, now: datetime) -> bool:
    """Whether a command that ends at `expires_at` is too old at `now`, the skew of clocks allowed for."""
    return now > expires_at + SKEW
