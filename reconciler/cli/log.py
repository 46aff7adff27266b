"""The log, one line a record on stderr, and how much of it."""

from __future__ import annotations

import logging
import time

LINE = "%(asctime)s %(levelname)-7s %(message)s"
TIME = "%Y-%m-%dT%H:%M:%SZ"

_ONE_OFF = (logging.CRITICAL, logging.INFO, logging.DEBUG)
"""By how often `-v` was given. A command that ends says in its result what went wrong: once is enough."""

_LONG_RUNNING = (logging.INFO, logging.DEBUG, logging.DEBUG)


def log_to_stderr(verbosity: int, *, long_running: bool = False) -> None:
    """Send our own log to stderr, in UTC; other libraries' only from a verbosity of 2 on."""
    verbosity = min(verbosity, 2)
    handler = logging.StreamHandler()
    formatter = logging.Formatter(LINE, TIME)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if verbosity > 1 else logging.WARNING)
    logging.getLogger("reconciler").setLevel((_LONG_RUNNING if long_running else _ONE_OFF)[verbosity])
