"""Names for things that must never be confused: requests, steps, strategies. Pure."""

from __future__ import annotations

from itertools import count


class Identifiers:
    """Unique names, in order. `prefix`: random, of this process's life; what follows it is a number.

    A random name each would cost a system call, and, as a key of a database, touch another page each time.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def new(self) -> str:
        """A name that was not given before."""
        return f"{self._prefix}{next(self._numbers):08x}"
