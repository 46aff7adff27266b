"""What a bot shows of itself → how it is (reconciler/agent/hummingbot/health.py)."""

from __future__ import annotations

from itertools import product

import pytest

from reconciler.agent.hummingbot.health import (
    BotStatus,
    HealthLimits,
    HealthSignals,
    HealthVerdict,
    RecoveryAction,
    RestartPolicy,
    crashes_in_a_row,
    judge,
    limit_reached_in,
)
from reconciler.agent.hummingbot.supervisor import restart_pause_s
from reconciler.model.state import Lifecycle

LIMITS = HealthLimits(silent_s=60.0, strategy_s=45.0, ready_s=90.0, lost_s=900.0, memory_bytes=1 << 30)
LONG = 10_000.0


def verdict(**signals) -> HealthVerdict:
    return judge(HealthSignals(**signals), LIMITS)


def test_a_bot_that_says_its_strategy_runs_is_running() -> None:
    assert verdict(status=BotStatus.RUNNING) == HealthVerdict(Lifecycle.RUNNING)


def test_a_process_that_lives_proves_nothing() -> None:
    assert verdict().state is Lifecycle.STARTING


def test_a_bot_that_came_up_without_a_strategy_is_an_error_with_its_reason() -> None:
    found = verdict(status=BotStatus.NO_STRATEGY, status_age_s=46.0, last_error="no such exchange: bynance")

    assert found.state is Lifecycle.ERROR
    assert found.action is RecoveryAction.SHUT_DOWN
    assert found.reason == "it started without a strategy; its log says: no such exchange: bynance"


def test_it_has_time_to_load_its_strategy() -> None:
    found = verdict(status=BotStatus.NO_STRATEGY, status_age_s=44.0)

    assert (found.state, found.action) == (Lifecycle.STARTING, RecoveryAction.LEAVE)


def test_a_bot_without_exchange_is_starting_and_then_an_error_with_the_reason() -> None:
    early = verdict(status=BotStatus.NOT_READY, status_age_s=89.0, last_error="cannot connect to host")
    late = verdict(status=BotStatus.NOT_READY, status_age_s=91.0, last_error="cannot connect to host")

    assert (early.state, early.action) == (Lifecycle.STARTING, RecoveryAction.LEAVE)
    assert (late.state, late.action) == (Lifecycle.ERROR, RecoveryAction.SHUT_DOWN)
    assert late.reason == "its exchange is out of reach for 91 s; its log says: cannot connect to host"


def test_a_bot_that_ran_waits_longer_for_its_exchange() -> None:
    assert verdict(status=BotStatus.NOT_READY, status_age_s=899.0, has_run=True).state is Lifecycle.STARTING
    assert verdict(status=BotStatus.NOT_READY, status_age_s=901.0, has_run=True).state is Lifecycle.ERROR


def test_a_bot_that_stopped_its_strategy_by_itself_stays_down() -> None:
    found = verdict(status=BotStatus.NO_STRATEGY, has_run=True)

    assert (found.state, found.action) == (Lifecycle.ERROR, RecoveryAction.SHUT_DOWN)
    assert found.reason == "it stopped its strategy by itself"


@pytest.mark.parametrize("status", BotStatus)
def test_a_limit_that_it_reached_counts_whatever_it_answers(status: BotStatus) -> None:
    found = verdict(status=status, has_run=True, limit_reached="Global drawdown reached.")

    assert (found.state, found.action) == (Lifecycle.ERROR, RecoveryAction.SHUT_DOWN)
    assert found.reason == "it stopped its strategy by itself: Global drawdown reached."


def test_a_paused_bot_has_no_strategy_and_is_fine() -> None:
    assert verdict(status=BotStatus.NO_STRATEGY, paused=True, has_run=True) == HealthVerdict(Lifecycle.PAUSED)
    assert verdict(status=BotStatus.SILENT, paused=True) == HealthVerdict(Lifecycle.PAUSED)


def test_a_paused_bot_that_runs_was_resumed_by_hand() -> None:
    assert verdict(status=BotStatus.RUNNING, paused=True) == HealthVerdict(Lifecycle.RUNNING)


@pytest.mark.parametrize(
    ("exit_code", "how"), [(0, " with exit code 0"), (-9, " by signal 9"), (None, "")], ids=str
)
def test_a_process_that_ended_is_restarted(exit_code: int | None, how: str) -> None:
    found = verdict(alive=False, exit_code=exit_code, status=BotStatus.RUNNING)

    assert found == HealthVerdict(Lifecycle.STARTING, f"its process ended{how}", RecoveryAction.RESTART)


def test_a_bot_that_is_not_heard_of_is_restarted() -> None:
    found = verdict(status=BotStatus.RUNNING, silence_s=61.0)

    assert found == HealthVerdict(Lifecycle.STARTING, "no message from it for 61 s", RecoveryAction.RESTART)


def test_a_paused_bot_that_is_not_heard_of_is_restarted_too() -> None:
    assert verdict(paused=True, silence_s=61.0).action is RecoveryAction.RESTART


@pytest.mark.parametrize("previous_state", [Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STARTING])
def test_while_our_own_line_is_broken_nothing_is_concluded(previous_state: Lifecycle) -> None:
    found = verdict(
        connected=False,
        previous_state=previous_state,
        silence_s=LONG,
        status=BotStatus.NO_STRATEGY,
        status_age_s=LONG,
    )

    assert found == HealthVerdict(previous_state)


def test_a_bot_that_holds_too_much_memory_is_restarted_with_both_numbers_reported() -> None:
    found = verdict(status=BotStatus.RUNNING, memory_bytes=3 << 30)

    assert found == HealthVerdict(
        Lifecycle.STARTING, "it holds 3072 MiB, more than the 1024 MiB that it may", RecoveryAction.RESTART
    )


def test_without_a_limit_memory_is_nobody_s_business() -> None:
    found = judge(HealthSignals(status=BotStatus.RUNNING, memory_bytes=1 << 40), HealthLimits())

    assert found == HealthVerdict(Lifecycle.RUNNING)


def test_every_combination_has_a_verdict_with_a_reason_where_something_is_wrong() -> None:
    flags = (True, False)
    for alive, connected, paused, has_run in product(flags, flags, flags, flags):
        for status, age_s, limit_reached in product(BotStatus, (0.0, LONG), ("", "drawdown")):
            found = verdict(
                alive=alive,
                connected=connected,
                paused=paused,
                has_run=has_run,
                status=status,
                status_age_s=age_s,
                silence_s=age_s,
                limit_reached=limit_reached,
            )
            assert found.reason or found.action is RecoveryAction.LEAVE
            assert (found.action is RecoveryAction.SHUT_DOWN) == (found.state is Lifecycle.ERROR)
            assert found.state not in {Lifecycle.STOPPED, Lifecycle.STOPPING}


def test_only_an_answer_makes_a_bot_running() -> None:
    for status, paused, age_s in product(BotStatus, (True, False), (0.0, LONG)):
        found = verdict(status=status, paused=paused, status_age_s=age_s)
        assert (found.state is Lifecycle.RUNNING) == (status is BotStatus.RUNNING)


# Crashes.


def test_pauses_between_restarts_double_up_to_a_limit_and_end() -> None:
    restarts = RestartPolicy(limit=5, first_s=2.0, longest_s=10.0)

    assert [restart_pause_s(n, restarts) for n in range(1, 6)] == [2.0, 4.0, 8.0, 10.0, None]


def test_a_long_life_forgives_earlier_crashes() -> None:
    restarts = RestartPolicy(healthy_s=600.0)

    assert crashes_in_a_row(3, 599.0, restarts) == 4
    assert crashes_in_a_row(3, 600.0, restarts) == 1


# Limits that a bot sets itself.


@pytest.mark.parametrize(
    "message",
    [
        "Kill switch threshold reached. Stopping the bot...",
        "Global drawdown reached. Stopping the strategy.",
        "Controller mm reached max drawdown. Stopping the controller.",
    ],
)
def test_what_a_bot_logs_when_it_reaches_its_limit_is_known(message: str) -> None:
    assert limit_reached_in(f"{message}\n") == message


def test_other_words_are_no_limit() -> None:
    assert limit_reached_in("Strategy stopped successfully") == ""
