"""What goes to stderr beside results: the log, one line a record, and how much of it."""

from __future__ import annotations

import logging
import time
from enum import IntEnum

LINE = "%(asctime)s %(levelname)-7s %(message)s"
TIME = "%Y-%m-%dT%H:%M:%SZ"


class Noise(IntEnum):
    """How much a command says of what it does; `-v` and `-vv`."""

    QUIET = 0
    VERBOSE = 1
    DEBUG = 2

    @classmethod
    def of(cls, count: int) -> Noise:
        """Of how often `-v` was given."""
        return cls(min(count, max(cls)))


_ONE_OFF = {Noise.QUIET: logging.CRITICAL, Noise.VERBOSE: logging.INFO, Noise.DEBUG: logging.DEBUG}
"""A command that ends says in its result what went wrong; telling it in the log as well would be twice."""

_LONG_RUNNING = {Noise.QUIET: logging.INFO, Noise.VERBOSE: logging.DEBUG, Noise.DEBUG: logging.DEBUG}


def log_to_stderr(noise: Noise, *, long_running: bool = False) -> None:
    """Send our own log to stderr, in UTC; other libraries' only with `-vv`."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter(LINE, TIME)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if noise is Noise.DEBUG else logging.WARNING)
    logging.getLogger("reconciler").setLevel((_LONG_RUNNING if long_running else _ONE_OFF)[noise])
