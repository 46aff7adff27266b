"""Bots that fail to come up, or fail by themselves: real processes, real MQTT, and moods that a real Hummingbot has on
bad days only. What goes right: tests/contract/test_runner.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from reconciler.agent.responses import Refusal
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import LogRecord
from tests.support.bot_team import Deaf, Team, a_team, lives, pids_with
from tests.support.brokers import Mosquitto
from tests.support.conditions import until
from tests.support.stand_in import QUICK

RUNNING, PAUSED, STARTING, ERROR = Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STARTING, Lifecycle.ERROR


@pytest.fixture
async def team(tmp_path: Path, mosquitto: Mosquitto) -> AsyncIterator[Team]:
    async with a_team(tmp_path / "agent", mosquitto) as built:
        yield built


# Starts that fail.


async def test_a_bot_that_came_up_without_a_strategy_is_refused_for_good_with_what_its_log_says(team) -> None:
    with pytest.raises(Refusal, match=r"started without a strategy.*no such exchange: bynance") as caught:
        await team.start(no_strategy="no such exchange: bynance")

    assert (caught.value.code, caught.value.lasting) == ("INVALID_CONFIG", True)
    assert await team.runner.find() == {}
    assert pids_with(str(team.folder)) == []


async def test_a_bot_without_its_exchange_is_refused_with_the_reason(team) -> None:
    with pytest.raises(Refusal, match="its exchange is out of reach for") as caught:
        await team.start(no_exchange=True)

    assert (caught.value.code, caught.value.lasting) == ("EXCHANGE_UNAVAILABLE", True)
    assert pids_with(str(team.folder)) == []


async def test_a_process_that_ends_at_once_is_refused_with_its_exit_code(team) -> None:
    with pytest.raises(CommandRejected, match="its process ended with exit code 3"):
        await team.start(dies=True)

    assert await team.runner.find() == {}


async def test_a_start_can_be_tried_again_after_it_failed(team) -> None:
    with pytest.raises(CommandRejected):
        await team.start(dies=True)

    await team.start()

    assert await team.runner.find() == {"mm": RUNNING}


async def test_without_room_on_the_disk_nothing_is_started(team) -> None:
    await team.reopen(least_free=1 << 60)

    with pytest.raises(CommandRejected, match="MiB left, less than"):
        await team.start()

    assert team.bots.launches == []


# What bots do by themselves.


async def test_a_bot_that_was_killed_is_restarted(team) -> None:
    pid = await team.start()

    os.kill(pid, signal.SIGKILL)

    starting = await team.moved_to(STARTING)
    await team.moved_to(RUNNING)
    assert "its process ended by signal 9; restarts in 0.05 s (1 of 3)" in starting.message
    assert await team.pid() != pid
    assert await team.runner.find() == {"mm": RUNNING}


async def test_a_paused_bot_that_was_killed_comes_back_paused(team) -> None:
    pid = await team.start(paused=True)

    os.kill(pid, signal.SIGKILL)

    await team.moved_to(PAUSED)
    assert await team.runner.find() == {"mm": PAUSED}


async def test_a_bot_that_keeps_crashing_is_given_up(team) -> None:
    pid = await team.start()
    team.bots.moods["mm"] = {"dies": True}

    os.kill(pid, signal.SIGKILL)

    error = await team.moved_to(ERROR)
    assert "crashed 3 times, not restarted any more" in error.message
    assert "2 orders may be open at the exchange: o1" in error.message
    assert await team.runner.find() == {}
    assert len(team.bots.launches) == 3


async def test_a_limit_that_a_bot_set_itself_ends_it_for_good(team) -> None:
    pid = await team.start()

    await team.bots.mood("mm", brake=True)

    error = await team.moved_to(ERROR)
    assert error.message == (
        "it stopped its strategy by itself: Global drawdown reached. Stopping the strategy."
    )
    assert not lives(pid)
    assert team.bots.launches == ["mm"]


async def test_an_exchange_that_is_lost_for_long_is_an_error_with_the_reason(team) -> None:
    pid = await team.start()

    await team.bots.mood("mm", no_exchange=True)

    await team.moved_to(STARTING)
    error = await team.moved_to(ERROR)
    assert "its exchange is out of reach" in error.message
    assert not lives(pid)


async def test_an_exchange_that_comes_back_is_no_error(team) -> None:
    await team.reopen(limits=msgspec.structs.replace(QUICK.limits, lost_s=600.0))
    await team.start()

    await team.bots.mood("mm", no_exchange=True)
    await team.moved_to(STARTING)
    await team.bots.mood("mm", no_exchange=False)
    await team.moved_to(RUNNING)

    assert [move.state for move in team.moves()] == [STARTING, RUNNING]


async def test_a_bot_that_falls_silent_is_restarted(team) -> None:
    await team.reopen(limits=msgspec.structs.replace(QUICK.limits, silent_s=5.0))
    pid = await team.start()

    await team.bots.mood("mm", mute=True)

    starting = await team.moved_to(STARTING)
    await team.moved_to(RUNNING)
    assert "no message from it" in starting.message
    assert await team.pid() != pid
    assert not lives(pid)


async def test_a_bot_that_holds_too_much_memory_is_restarted_until_it_is_given_up(team) -> None:
    await team.start()
    await team.reopen(limits=msgspec.structs.replace(QUICK.limits, memory_bytes=1 << 20))

    await team.runner.find()

    starting = await team.moved_to(STARTING)
    error = await team.moved_to(ERROR)
    assert "more than the 1 MiB that it may" in starting.message
    assert "crashed 3 times" in error.message


async def test_a_bot_that_was_resumed_by_hand_says_so(team) -> None:
    await team.start(paused=True)

    await team.bots.connect("mm", Deaf()).start()

    await team.moved_to(RUNNING)


async def test_a_broker_that_is_away_is_no_bot_s_fault(team) -> None:
    await team.reopen(limits=msgspec.structs.replace(QUICK.limits, silent_s=3.0))
    pid = await team.start()

    team.broker.stop()
    await until(lambda: not team.bots.connected)
    team.broker.start()
    await until(lambda: team.bots.connected)
    await until(team.answers)

    assert lives(pid)
    assert team.bots.launches == ["mm"]
    assert not any(move.state is ERROR for move in team.moves())


async def test_its_log_is_passed_on(team) -> None:
    await team.start()

    def said() -> bool:
        return any(
            isinstance(event, LogRecord) and event.message == "strategy started successfully"
            for event in team.events
        )

    await until(said)


async def test_its_figures_are_those_of_its_trades(team) -> None:
    await team.start()

    await until(lambda: team.runner.performance("mm") is not None)
    await until(lambda: team.runner.performance("mm").open_orders == 2)
