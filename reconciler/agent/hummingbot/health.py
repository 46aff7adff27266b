"""
Observed signals of a bot → its health: one table, the first row that applies decides.

Rule 1: no clock, file, process or event loop: the same signals give the same verdict.
Rule 2: a living process proves nothing: only the bot's own status says that its strategy runs.
Rule 3: a bot that stopped its strategy by itself stays down until a person or another spec says otherwise.
Rule 4: while the agent's own connection to the broker is broken, silence counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from reconciler.model.state import Lifecycle


class BotStatus(StrEnum):
    """A bot's answer to a status request."""

    SILENT = "no answer"
    NO_STRATEGY = "no strategy"
    NOT_READY = "not ready"
    RUNNING = "runs"


class HealthSignals(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one bot at one moment. Ages in seconds.

    `alive`: its process has not ended. `connected`: the agent's connection to the broker stands. `paused`: the
    agent halted it on command. `has_run`: its strategy was seen running since the process started.
    `previous_state`: at the last check. `status_age_s`: since its status last changed. `silence_s`: since its last
    message, or its start. `exit_code`: negative for a signal, None if unknown. `memory_bytes`: resident set size,
    0 if unknown. `last_error`: the newest error in its log. `limit_reached`: its log message about a limit of its own.
    """

    alive: bool = True
    connected: bool = True
    paused: bool = False
    has_run: bool = False
    previous_state: Lifecycle = Lifecycle.STARTING
    status: BotStatus = BotStatus.SILENT
    status_age_s: float = 0.0
    silence_s: float = 0.0
    exit_code: int | None = None
    memory_bytes: int = 0
    last_error: str = ""
    limit_reached: str = ""


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a bot may stay in a condition before it counts. Seconds; `memory_bytes` 0: no limit.

    `silent_s`: six heartbeats of 10 s, since bots reconnect every 5 s and start slowly on a busy machine.
    `strategy_s`: without a strategy after the start. `ready_s`: without its exchange after the start.
    `lost_s`: without its exchange once it has run.
    """

    silent_s: float = 60.0
    strategy_s: float = 45.0
    ready_s: float = 90.0
    lost_s: float = 900.0
    memory_bytes: int = 0


class RecoveryAction(StrEnum):
    """What the supervisor does about a bot."""

    LEAVE = "leave"
    RESTART = "restart"
    SHUT_DOWN = "shut down"


class HealthVerdict(msgspec.Struct, frozen=True):
    """A bot's state, the reason for people, and what the supervisor does about it."""

    state: Lifecycle
    reason: str = ""
    action: RecoveryAction = RecoveryAction.LEAVE


Row = tuple[
    Callable[[HealthSignals, HealthLimits], bool], Callable[[HealthSignals, HealthLimits], HealthVerdict]
]


def judge(signals: HealthSignals, limits: HealthLimits) -> HealthVerdict:
    """Give the verdict of the first row of ROWS that applies; the last one always does."""
    return next(verdict(signals, limits) for applies, verdict in ROWS if applies(signals, limits))


def _shut_down(
    reason: Callable[[HealthSignals, HealthLimits], str],
) -> Callable[[HealthSignals, HealthLimits], HealthVerdict]:
    return lambda s, limits: HealthVerdict(Lifecycle.ERROR, reason(s, limits), RecoveryAction.SHUT_DOWN)


def _restart(
    reason: Callable[[HealthSignals, HealthLimits], str],
) -> Callable[[HealthSignals, HealthLimits], HealthVerdict]:
    return lambda s, limits: HealthVerdict(Lifecycle.STARTING, reason(s, limits), RecoveryAction.RESTART)


def _is(state: Lifecycle, reason: str = "") -> Callable[[HealthSignals, HealthLimits], HealthVerdict]:
    return lambda s, _: HealthVerdict(state, _with_last_error(reason, s) if reason else "")


def _with_last_error(reason: str, s: HealthSignals) -> str:
    return f"{reason}; its log says: {s.last_error}" if s.last_error else reason


def _process_ended(s: HealthSignals, _: HealthLimits) -> str:
    how = "" if s.exit_code is None else f" with exit code {s.exit_code}"
    if s.exit_code is not None and s.exit_code < 0:
        how = f" by signal {-s.exit_code}"
    return _with_last_error(f"its process ended{how}", s)


def _stopped_by_itself(s: HealthSignals, _: HealthLimits) -> str:
    reason = "it stopped its strategy by itself"
    return f"{reason}: {s.limit_reached}" if s.limit_reached else _with_last_error(reason, s)


ROWS: tuple[Row, ...] = (
    (lambda s, _: not s.alive, _restart(_process_ended)),
    (
        lambda s, limits: 0 < limits.memory_bytes < s.memory_bytes,
        _restart(
            lambda s, limits: (
                f"it holds {s.memory_bytes >> 20} MiB, more than the {limits.memory_bytes >> 20} MiB that it may"
            )
        ),
    ),
    (lambda s, _: bool(s.limit_reached), _shut_down(_stopped_by_itself)),
    (lambda s, _: not s.connected, lambda s, _: HealthVerdict(s.previous_state)),
    (
        lambda s, limits: s.silence_s > limits.silent_s,
        _restart(lambda s, _: f"no message from it for {s.silence_s:.0f} s"),
    ),
    (lambda s, _: s.status is BotStatus.RUNNING, _is(Lifecycle.RUNNING)),
    (lambda s, _: s.paused, _is(Lifecycle.PAUSED)),
    (lambda s, _: s.status is BotStatus.NO_STRATEGY and s.has_run, _shut_down(_stopped_by_itself)),
    (
        lambda s, limits: s.status is BotStatus.NO_STRATEGY and s.status_age_s > limits.strategy_s,
        _shut_down(lambda s, _: _with_last_error("it started without a strategy", s)),
    ),
    (
        lambda s, limits: (
            s.status is BotStatus.NOT_READY
            and s.status_age_s > (limits.lost_s if s.has_run else limits.ready_s)
        ),
        _shut_down(
            lambda s, _: _with_last_error(f"its exchange is out of reach for {s.status_age_s:.0f} s", s)
        ),
    ),
    (lambda s, _: s.status is BotStatus.NO_STRATEGY, _is(Lifecycle.STARTING, "it has no strategy yet")),
    (lambda s, _: s.status is BotStatus.NOT_READY, _is(Lifecycle.STARTING, "it waits for its exchange")),
    (lambda *_: True, _is(Lifecycle.STARTING, "it has not reported its status yet")),
)
"""A paused bot that runs was resumed by hand: the row for RUNNING therefore precedes the row for paused bots."""


OWN_LIMITS = ("kill switch threshold reached", "global drawdown reached", "reached max drawdown")
"""Logged by Hummingbot 20260922 when it stops by itself (hummingbot/core/utils/kill_switch.py, v2_with_controllers.py)."""


def limit_reached_in(message: str) -> str:
    """Return a log message that reports a limit which the bot set itself and reached; "" for any other message."""
    return message.strip() if any(words in message.casefold() for words in OWN_LIMITS) else ""


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """After `limit` crashes in a row, each within `healthy_s` of its start, a bot is not restarted any more.

    The pause before a restart doubles from `first_s` to `longest_s`. Seconds; the defaults give its exchange a minute.
    """

    limit: int = 5
    healthy_s: float = 600.0
    first_s: float = 2.0
    longest_s: float = 60.0


def crashes_in_a_row(before: int, uptime_s: float, policy: RestartPolicy) -> int:
    """Count one more crash; a bot that was up for `healthy_s` starts a new row."""
    return 1 if uptime_s >= policy.healthy_s else before + 1
