"""
What a bot shows of itself → how it is. One table, first row that fits. Pure.

Rule 1: a process that lives proves nothing: only its own answer says that a strategy runs.
Rule 2: a bot that stopped its strategy by itself stays down until a person or a new spec says otherwise.
Rule 3: what we cannot hear while our own line is broken counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from reconciler.model.state import Lifecycle


class BotStatus(StrEnum):
    """What a bot said when asked for its status."""

    SILENT = "no answer"
    NO_STRATEGY = "no strategy"
    NOT_READY = "not ready"
    RUNS = "runs"


class HealthSignals(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one bot at one moment. Ages and lengths in seconds.

    `heard_age_s`: since its last sign of life, or since it began. `answer_age_s`: for how long its answer has been
    this one. `ran`: it was seen running since it began. `paused`: it is halted because we asked for it. `line`:
    our own connection to the broker stands. `before`: how it was at the last look. `complaint`: the newest error in
    its log. `brake`: what its log says of a limit that it reached. `memory_bytes` 0: not known.
    """

    alive: bool = True
    line: bool = True
    paused: bool = False
    ran: bool = False
    before: Lifecycle = Lifecycle.STARTING
    answer: BotStatus = BotStatus.SILENT
    answer_age_s: float = 0.0
    heard_age_s: float = 0.0
    exit_code: int | None = None
    memory_bytes: int = 0
    complaint: str = ""
    brake: str = ""


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a bot may be so before it counts. Lengths in seconds; `memory_bytes` 0: as much as it likes.

    `silent_s`: six heartbeats of 10 s, since bots reconnect every 5 s and a busy machine starts slowly.
    `strategy_s`: up to here a bot may be without a strategy after its start. `ready_s`: and without its exchange.
    `lost_s`: a bot that ran may be without its exchange for so long.
    """

    silent_s: float = 60.0
    strategy_s: float = 45.0
    ready_s: float = 90.0
    lost_s: float = 900.0
    memory_bytes: int = 0


class RecoveryAction(StrEnum):
    """What is to be done about a bot."""

    LEAVE = "leave"
    RESTART = "restart"
    BRING_DOWN = "bring down"


class HealthVerdict(msgspec.Struct, frozen=True):
    """How a bot is, why, and what to do."""

    state: Lifecycle
    reason: str = ""
    care: RecoveryAction = RecoveryAction.LEAVE


BRAKES = ("kill switch threshold reached", "global drawdown reached", "reached max drawdown")
"""What Hummingbot 20260922 logs when it stops by itself (hummingbot/core/utils/kill_switch.py, v2_with_controllers.py)."""


def brake_in(message: str) -> str:
    """What a log record says of a limit that the bot set itself and reached; empty if nothing."""
    return message.strip() if any(words in message.casefold() for words in BRAKES) else ""


Row = tuple[
    Callable[[HealthSignals, HealthLimits], bool], Callable[[HealthSignals, HealthLimits], HealthVerdict]
]


def judge(signals: HealthSignals, limits: HealthLimits) -> HealthVerdict:
    """Say how a bot is."""
    return next(verdict(signals, limits) for fits, verdict in ROWS if fits(signals, limits))


def _down(
    reason: Callable[[HealthSignals, HealthLimits], str],
) -> Callable[[HealthSignals, HealthLimits], HealthVerdict]:
    return lambda s, limits: HealthVerdict(Lifecycle.ERROR, reason(s, limits), RecoveryAction.BRING_DOWN)


def _again(
    reason: Callable[[HealthSignals, HealthLimits], str],
) -> Callable[[HealthSignals, HealthLimits], HealthVerdict]:
    return lambda s, limits: HealthVerdict(Lifecycle.STARTING, reason(s, limits), RecoveryAction.RESTART)


def _is(state: Lifecycle, reason: str = "") -> Callable[[HealthSignals, HealthLimits], HealthVerdict]:
    return lambda s, _: HealthVerdict(state, _with_complaint(reason, s) if reason else "")


def _with_complaint(reason: str, s: HealthSignals) -> str:
    return f"{reason}; its log says: {s.complaint}" if s.complaint else reason


def _ended(s: HealthSignals, _: HealthLimits) -> str:
    how = "" if s.exit_code is None else f" with exit code {s.exit_code}"
    if s.exit_code is not None and s.exit_code < 0:
        how = f" by signal {-s.exit_code}"
    return _with_complaint(f"its process ended{how}", s)


def _swollen(s: HealthSignals, limits: HealthLimits) -> str:
    return f"it holds {s.memory_bytes >> 20} MiB, more than the {limits.memory_bytes >> 20} MiB that it may"


def _silent(s: HealthSignals, _: HealthLimits) -> str:
    return f"nothing was heard of it for {s.heard_age_s:.0f} s"


def _halted(s: HealthSignals, _: HealthLimits) -> str:
    return f"it stopped its strategy by itself: {s.brake}" if s.brake else _stopped_itself(s)


def _stopped_itself(s: HealthSignals) -> str:
    return _with_complaint("it stopped its strategy by itself", s)


def _empty(s: HealthSignals, _: HealthLimits) -> str:
    return _with_complaint("it came up without a strategy", s)


def _unready(s: HealthSignals, _: HealthLimits) -> str:
    return _with_complaint(f"its exchange is out of reach for {s.answer_age_s:.0f} s", s)


ROWS: tuple[Row, ...] = (
    (lambda s, _: not s.alive, _again(_ended)),
    (lambda s, limits: 0 < limits.memory_bytes < s.memory_bytes, _again(_swollen)),
    (lambda s, _: bool(s.brake), _down(_halted)),
    (lambda s, _: not s.line, lambda s, _: HealthVerdict(s.before)),
    (lambda s, limits: s.heard_age_s > limits.silent_s, _again(_silent)),
    (lambda s, _: s.answer is BotStatus.RUNS, _is(Lifecycle.RUNNING)),
    (lambda s, _: s.paused, _is(Lifecycle.PAUSED)),
    (lambda s, _: s.answer is BotStatus.NO_STRATEGY and s.ran, _down(_halted)),
    (
        lambda s, limits: s.answer is BotStatus.NO_STRATEGY and s.answer_age_s > limits.strategy_s,
        _down(_empty),
    ),
    (
        lambda s, limits: (
            s.answer is BotStatus.NOT_READY and s.answer_age_s > (limits.lost_s if s.ran else limits.ready_s)
        ),
        _down(_unready),
    ),
    (lambda s, _: s.answer is BotStatus.NO_STRATEGY, _is(Lifecycle.STARTING, "it has no strategy yet")),
    (lambda s, _: s.answer is BotStatus.NOT_READY, _is(Lifecycle.STARTING, "it waits for its exchange")),
    (lambda *_: True, _is(Lifecycle.STARTING, "it has not said yet how it is")),
)
"""A bot that was paused and runs was resumed by hand: the row that says so stands before the one for pauses."""


# Crashes.


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` crashes in a row, none after a life of `healthy_s`, and a bot is not restarted any more.

    Pauses double from `first_s` up to `longest_s`. Seconds; the defaults give a bot's exchange a minute.
    """

    limit: int = 5
    healthy_s: float = 600.0
    first_s: float = 2.0
    longest_s: float = 60.0


def crashes_now(before: int, lived_s: float, restarts: RestartPolicy) -> int:
    """Count one more crash in a row; a long life begins a new row."""
    return 1 if lived_s >= restarts.healthy_s else before + 1


def pause_s(crashes: int, restarts: RestartPolicy) -> float | None:
    """How long to wait before the restart after so many crashes in a row; None: no restart."""
    if crashes >= restarts.limit:
        return None
    return float(min(restarts.longest_s, restarts.first_s * 2 ** (crashes - 1)))
