"""How often a bot may crash, and how long to wait before it is tried again. Pure."""

from __future__ import annotations

import msgspec


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` crashes in a row, none after a life of `healthy_s`, and a bot is not restarted any more.

    Pauses double from `first_s` up to `longest_s`. Seconds; the defaults give a bot's exchange a minute.
    """

    limit: int = 5
    healthy_s: float = 600.0
    first_s: float = 2.0
    longest_s: float = 60.0


def crashes_now(before: int, lived_s: float, tolerance: Tolerance) -> int:
    """Count one more crash in a row; a long life begins a new row."""
    return 1 if lived_s >= tolerance.healthy_s else before + 1


def pause_s(crashes: int, tolerance: Tolerance) -> float | None:
    """How long to wait before the restart after so many crashes in a row; None: no restart."""
    if crashes >= tolerance.limit:
        return None
    return float(min(tolerance.longest_s, tolerance.first_s * 2 ** (crashes - 1)))
