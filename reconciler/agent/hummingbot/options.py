"""Options of real bots: values and their defaults. Lengths in seconds, sizes in bytes. Imports no loader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.health import HealthLimits, RestartPolicy

_MIB = 1 << 20


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long operations on a bot may take.

    `check_s`: between two checks of a bot. `poll_s`: between two polls of a condition that a command waits for.
    `terminate_s`: after SIGTERM ("allow 30 s", docs/hummingbot.md), then SIGKILL. `kill_s`: after SIGKILL.
    `cancel_s`: until cancelled orders are recorded as such. `reconfigure_s`: until a new config is seen in force;
    controllers read their file every 10 s.
    """

    check_s: float = 5.0
    poll_s: float = 0.5
    terminate_s: float = 30.0
    kill_s: float = 10.0
    cancel_s: float = 10.0
    reconfigure_s: float = 25.0


class BotOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`python`: Hummingbot's interpreter. `controllers`: folder with the code of v2 controllers.

    `any_version`: also run a Hummingbot version that the launcher does not know. `endpoints`: addresses that replace
    those of exchanges: module of Hummingbot → constant → value. `starts_at_once`: bots started in parallel; each needs
    a core for some seconds. `least_free`: disk space without which no bot is started. `largest_output`,
    `largest_logs`: of what one bot prints, and of its logs.
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
