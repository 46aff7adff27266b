"""What can be set for real bots. Values only; lengths in seconds, sizes in bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.health import HealthLimits, RestartPolicy

_MIB = 1 << 20


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take. `term_s`: hummingbot.md, "allow 30 s"; then a bot is killed.

    `look_s`: between two looks at a bot. `orders_s`: until cancelled orders are seen cancelled. `taken_s`: until a new
    config is seen taken: controllers read their file every 10 s.
    """

    look_s: float = 5.0
    settle_s: float = 0.5
    term_s: float = 30.0
    kill_s: float = 10.0
    orders_s: float = 10.0
    taken_s: float = 25.0


class BotOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`python`: Hummingbot's interpreter. `controllers`: folder of v2 controllers, None: none are to be had.

    `any_version`: also a Hummingbot that the launcher was never tried with. `endpoints`: addresses of exchanges instead
    of their own: module of Hummingbot → constant → value.

    `starts_at_once`: bots begun at the same time; each needs a core for some seconds. `least_free`: room on the disk
    without which no bot is started. `largest_output`, `largest_logs`: of what one bot prints, and of its logs.
    """

    python: Path | None = None
    controllers: Path | None = None
    accounts_file: Path | None = None
    any_version: bool = False
    endpoints: Mapping[str, Mapping[str, str]] = {}
    namespace: str = "hbot"
    starts_at_once: int = os.cpu_count() or 2
    least_free: int = 512 * _MIB
    largest_output: int = 10 * _MIB
    largest_logs: int = 200 * _MIB
    limits: HealthLimits = HealthLimits()
    restarts: RestartPolicy = RestartPolicy()
    timeouts: Timeouts = Timeouts()
