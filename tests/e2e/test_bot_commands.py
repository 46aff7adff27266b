"""Commands to bots that do not obey, and agents that come and go: real processes and real MQTT."""

from __future__ import annotations

import os
import signal
import tarfile
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle
from tests.support.agent_builders import CONFIG, strategy
from tests.support.bot_team import Deaf, Team, a_team, lives
from tests.support.brokers import Mosquitto
from tests.support.conditions import until
from tests.support.stand_in import QUICK, StandIns

RUNNING, PAUSED, STARTING, ERROR = Lifecycle.RUNNING, Lifecycle.PAUSED, Lifecycle.STARTING, Lifecycle.ERROR


@pytest.fixture
async def team(tmp_path: Path, mosquitto: Mosquitto) -> AsyncIterator[Team]:
    async with a_team(tmp_path / "agent", mosquitto) as built:
        yield built


# Stops.


async def test_a_bot_that_ignores_sigterm_is_killed(team) -> None:
    await team.reopen(timeouts=msgspec.structs.replace(QUICK.timeouts, terminate_s=0.3))
    pid = await team.start(stubborn=True)

    await team.runner.stop("mm")

    assert not lives(pid)
    assert await team.runner.find() == {}


async def test_a_stop_that_may_leave_orders_says_loudly_which(team) -> None:
    pid = await team.start(leaves_orders=True)

    with pytest.raises(CommandRejected) as caught:
        await team.runner.stop("mm")

    assert caught.value.code == "INVALID_STATE"
    said = "the bot is stopped, but 2 orders may be open at the exchange: o1 (ETH-USDT on binance)"
    assert said in str(caught.value)
    assert not lives(pid)
    await team.runner.stop("mm")


async def test_a_bot_that_had_to_be_killed_with_orders_open_says_both(team) -> None:
    await team.reopen(timeouts=msgspec.structs.replace(QUICK.timeouts, terminate_s=0.3))
    await team.start(stubborn=True, leaves_orders=True)

    with pytest.raises(CommandRejected, match="it had to be killed; 2 orders may be open"):
        await team.runner.stop("mm")


async def test_a_bot_that_dies_while_it_stops_may_have_left_orders(team) -> None:
    pid = await team.start(dies_at_stop=True)

    with pytest.raises(CommandRejected, match="its process ended; 2 orders may be open at the exchange"):
        await team.runner.stop("mm")

    assert not lives(pid)
    assert team.bots.launches == ["mm"]


async def test_a_stop_ends_the_wait_for_a_restart(team) -> None:
    restarts = msgspec.structs.replace(QUICK.restarts, first_s=600.0, longest_s=600.0)
    await team.reopen(restarts=restarts)
    os.kill(await team.start(), signal.SIGKILL)
    await team.moved_to(STARTING)

    with pytest.raises(CommandRejected, match="2 orders may be open"):  # it was killed: nobody cancelled them
        await team.runner.stop("mm")

    assert await team.runner.find() == {}
    assert team.bots.launches == ["mm"]


# Pauses and changes.


async def test_a_bot_that_will_not_halt_is_no_pause(team) -> None:
    await team.start(will_not_halt=True)

    with pytest.raises(CommandRejected, match="the bot did not pause: stop: it will not"):
        await team.runner.pause("mm")

    assert await team.runner.find() == {"mm": RUNNING}


async def test_a_bot_that_dies_while_it_halts_is_no_pause_and_comes_back(team) -> None:
    await team.start(dies_at_stop=True)
    team.bots.moods["mm"] = {}

    with pytest.raises(CommandRejected, match="the bot did not pause: its process ended"):
        await team.runner.pause("mm")

    await team.moved_to(STARTING)
    await team.moved_to(RUNNING)
    assert await team.runner.find() == {"mm": RUNNING}


async def test_a_bot_stays_one_process_over_pause_and_resume(team) -> None:
    pid = await team.start()

    await team.runner.pause("mm")
    await team.runner.resume("mm")

    assert await team.pid() == pid


async def test_a_config_that_a_bot_does_not_take_is_refused_and_the_old_one_stays(team) -> None:
    await team.start(deaf=["bid_spread"])
    changed = strategy().configured({**CONFIG, "bid_spread": Decimal("0.3"), "ask_spread": Decimal("0.4")})

    with pytest.raises(
        CommandRejected, match=r"the bot did not apply the config: bid_spread is 0\.1, not 0\.3"
    ):
        await team.runner.apply(changed)

    config = await team.bots.connect("mm", Deaf()).config()
    assert (float(config["bid_spread"]), float(config["ask_spread"])) == (0.1, 0.1)
    assert "0.3" not in team.record()


async def test_a_config_given_while_paused_is_in_force_after_the_resume(team) -> None:
    await team.start(paused=True)

    await team.runner.apply(strategy().configured({**CONFIG, "bid_spread": Decimal("0.3")}))
    await team.runner.resume("mm")

    config = await team.bots.connect("mm", Deaf()).config()
    assert config["bid_spread"] == 0.3


# Agents come and go.


async def test_a_restarted_agent_finds_its_bots_and_begins_none_twice(team) -> None:
    pid = await team.start()

    await team.again()

    assert await team.runner.find() == {"mm": RUNNING}
    assert await team.pid() == pid
    with pytest.raises(CommandRejected, match="running"):
        await team.runner.start(strategy())
    assert team.bots.launches == []


async def test_it_commands_the_bots_that_it_found(team) -> None:
    pid = await team.start()
    await team.again()
    await team.runner.find()

    await team.runner.pause("mm")
    assert await team.runner.find() == {"mm": PAUSED}
    await team.runner.stop("mm")

    assert not lives(pid)


async def test_a_bot_whose_record_names_no_process_is_found_by_its_folder(team) -> None:
    pid = await team.start()
    await team.runner.close()
    file = team.folder / "bots/mm/bot.json"
    record = msgspec.json.decode(file.read_bytes())
    file.write_bytes(msgspec.json.encode({**record, "birth": None}))

    team.bots = StandIns(team.broker.url)
    await team.open()

    assert await team.runner.find() == {"mm": RUNNING}
    assert await team.pid() == pid


async def test_a_process_that_nobody_wrote_down_is_not_started_a_second_time(team) -> None:
    pid = await team.start()
    await team.runner.close()
    (team.folder / "bots/mm/bot.json").unlink()
    team.bots = StandIns(team.broker.url)
    await team.open()
    assert await team.runner.find() == {}

    with pytest.raises(CommandRejected, match=f"process {pid} runs this bot already"):
        await team.runner.start(strategy())

    assert lives(pid)


async def test_a_bot_that_ended_while_no_agent_was_there_is_not_found(team) -> None:
    pid = await team.start()
    await team.runner.close()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not lives(pid))

    team.bots = StandIns(team.broker.url)
    await team.open()

    assert await team.runner.find() == {}


async def test_a_limit_reached_while_no_agent_was_there_is_an_error_at_the_next_look(team) -> None:
    await team.start()
    await until(lambda: '"ran":true' in team.record())
    stranger = StandIns(team.broker.url)
    await team.runner.close()
    await stranger.open()
    await stranger.mood("mm", brake=True)
    await stranger.close()

    team.bots = StandIns(team.broker.url)
    await team.open()
    await team.runner.find()

    error = await team.moved_to(ERROR)
    assert error.message == "it stopped its strategy by itself"


# Deletes.


async def test_a_bot_that_is_up_is_not_deleted(team) -> None:
    await team.start()

    with pytest.raises(CommandRejected, match="the bot is up"):
        await team.runner.delete("mm")

    assert (team.folder / "bots/mm").is_dir()


async def test_what_is_deleted_is_archived_first(team) -> None:
    await team.start()
    await team.runner.stop("mm")

    await team.runner.delete("mm")

    (archive,) = (team.folder / "archive").iterdir()
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    assert archive.name.startswith("mm-20")
    assert {"mm/bot.json", "mm/output.log", "mm/root/data/mm.sqlite"} <= set(names)
    assert not (team.folder / "bots/mm").exists()


async def test_what_cannot_be_archived_is_kept_and_said(team) -> None:
    await team.start()
    await team.runner.stop("mm")
    (team.folder / "archive").write_text("in the way")

    with pytest.raises(CommandRejected, match="cannot be archived"):
        await team.runner.delete("mm")

    assert (team.folder / "bots/mm/root/data/mm.sqlite").exists()
