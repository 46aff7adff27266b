"""Pauses between attempts."""

from __future__ import annotations

import random

FIRST_S, LONGEST_S = 0.1, 30.0

STABLE_S = 10.0
"""What held this long was good: the next pause is the first again."""


class Backoff:
    """Pauses that double, each shortened at random so that not everyone comes back at once."""

    def __init__(self) -> None:
        self._pause_s = FIRST_S

    def lasted(self, seconds: float) -> None:
        """Begin anew if what was reached last held for long."""
        if seconds >= STABLE_S:
            self._pause_s = FIRST_S

    def next_s(self) -> float:
        """How long to wait now, in seconds."""
        pause_s, self._pause_s = self._pause_s, min(LONGEST_S, 2 * self._pause_s)
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, hides nothing
