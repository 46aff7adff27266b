"""What every runner promises the agent (reconciler/agent/runner.py)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.agent.faults import Faults, FaultyRunner
from reconciler.agent.model import StateChanged
from reconciler.agent.runner import BotEvent, Runner
from reconciler.agent.simulated.runner import CRASH_LIMIT, SimulatedRunner
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import LogRecord
from tests.exchange.process import ExchangeProcess
from tests.support.agent_builders import CONFIG, strategy
from tests.support.real_runner import real_runner
from tests.support.stand_in import StandIns, stand_in_runner

PATIENCE_S = 20.0


class Heard:
    """Events as they came, with a wait for one of them."""

    def __init__(self) -> None:
        self.events: list[BotEvent] = []
        self._news = asyncio.Event()

    def take(self, event: BotEvent) -> None:
        self.events.append(event)
        self._news.set()

    def moved_to(self, state: Lifecycle) -> int:
        return sum(isinstance(event, StateChanged) and event.state is state for event in self.events)

    async def until(self, state: Lifecycle, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.moved_to(state) < times:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def heard() -> Heard:
    return Heard()


REAL = pytest.param(
    "hummingbot",
    marks=[
        pytest.mark.hummingbot,
        pytest.mark.slow,
        pytest.mark.timeout(400),
    ],
)


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess() as process:
        yield process


@pytest.fixture(params=["simulated", "faulty", "stand-in", REAL])
async def runner(request: pytest.FixtureRequest, heard: Heard, tmp_path: Path) -> AsyncIterator[Runner]:
    """Each runner that there is, open."""
    simulated = SimulatedRunner(start_delay_s=0.02, rng=random.Random(1), backoff_s=0.01)
    built: Runner = simulated
    if request.param == "faulty":
        built = FaultyRunner(simulated, Faults(), random.Random(1))
    elif request.param != "simulated":
        url = request.getfixturevalue("mosquitto").url
        if request.param == "stand-in":
            built = stand_in_runner(tmp_path / "agent", StandIns(url))
        else:
            built = real_runner(tmp_path / "agent", url, request.getfixturevalue("exchange"))
    await built.open(heard.take)
    yield built
    for name in await built.find():
        await built.stop(name)
    await built.close()


async def refusal(command: Awaitable[None]) -> str:
    with pytest.raises(CommandRejected) as caught:
        await command
    return caught.value.code


async def test_a_started_bot_is_found_running(runner: Runner) -> None:
    await runner.start(strategy())

    assert await runner.find() == {"mm": Lifecycle.RUNNING}


async def test_a_bot_started_paused_is_found_paused(runner: Runner) -> None:
    await runner.start(strategy(), paused=True)

    assert await runner.find() == {"mm": Lifecycle.PAUSED}


async def test_a_bot_that_is_up_is_not_started_again(runner: Runner) -> None:
    await runner.start(strategy())

    assert await refusal(runner.start(strategy())) == "ALREADY_RUNNING"


async def test_two_starts_at_once_give_one_bot(runner: Runner) -> None:
    results = await asyncio.gather(runner.start(strategy()), runner.start(strategy()), return_exceptions=True)

    assert sum(isinstance(result, CommandRejected) for result in results) == 1
    assert await runner.find() == {"mm": Lifecycle.RUNNING}


async def test_a_start_that_is_cancelled_leaves_nothing_behind(runner: Runner) -> None:
    start = asyncio.ensure_future(runner.start(strategy()))
    await asyncio.sleep(0)
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    await runner.stop("mm")

    assert await runner.find() == {}
    await runner.start(strategy())


async def test_pause_and_resume_keep_it_up(runner: Runner) -> None:
    await runner.start(strategy())

    await runner.pause("mm")
    assert await runner.find() == {"mm": Lifecycle.PAUSED}
    await runner.resume("mm")
    assert await runner.find() == {"mm": Lifecycle.RUNNING}


async def test_a_stopped_bot_is_down_and_can_be_started_again(runner: Runner) -> None:
    await runner.start(strategy())

    await runner.stop("mm")
    assert await runner.find() == {}
    await runner.start(strategy())
    assert await runner.find() == {"mm": Lifecycle.RUNNING}


async def test_what_is_not_up_is_stopped_and_deleted_already(runner: Runner) -> None:
    await runner.stop("mm")
    await runner.delete("mm")


async def test_what_is_not_up_cannot_be_paused_resumed_or_changed(runner: Runner) -> None:
    assert await refusal(runner.pause("mm")) == "INVALID_STATE"
    assert await refusal(runner.resume("mm")) == "INVALID_STATE"
    assert await refusal(runner.apply(strategy())) == "INVALID_STATE"


async def test_a_running_bot_takes_a_new_config_and_stays_up(runner: Runner) -> None:
    await runner.start(strategy())

    await runner.apply(strategy().configured({**CONFIG, "bid_spread": Decimal("0.3")}))

    assert await runner.find() == {"mm": Lifecycle.RUNNING}


async def test_bots_do_not_touch_each_other(runner: Runner) -> None:
    await asyncio.gather(runner.start(strategy(name="a")), runner.start(strategy(name="b")))

    await runner.stop("a")

    assert await runner.find() == {"b": Lifecycle.RUNNING}


async def test_what_was_commanded_is_no_event(runner: Runner, heard: Heard) -> None:
    await runner.start(strategy())
    await runner.pause("mm")
    await runner.stop("mm")

    assert all(isinstance(event, LogRecord) for event in heard.events)


async def test_only_a_bot_that_is_up_has_figures(runner: Runner) -> None:
    assert runner.performance("mm") is None
    await runner.start(strategy())

    figures = runner.performance("mm")

    assert figures is None or figures.strategy_name == "mm"
    await runner.stop("mm")
    assert runner.performance("mm") is None


# The simulated one alone: what happens by itself.


@pytest.fixture
async def simulated(heard: Heard) -> AsyncIterator[SimulatedRunner]:
    built = SimulatedRunner(start_delay_s=0.01, rng=random.Random(1), backoff_s=0.01)
    await built.open(heard.take)
    await built.start(strategy())
    yield built
    await built.close()


async def test_a_crashed_bot_is_restarted(simulated: SimulatedRunner, heard: Heard) -> None:
    simulated.crash("mm")
    assert await simulated.find() == {}

    await heard.until(Lifecycle.RUNNING)

    assert await simulated.find() == {"mm": Lifecycle.RUNNING}


async def test_a_bot_that_keeps_crashing_is_given_up(simulated: SimulatedRunner, heard: Heard) -> None:
    for times in range(1, CRASH_LIMIT):
        simulated.crash("mm")
        await heard.until(Lifecycle.RUNNING, times)
    simulated.crash("mm")

    assert heard.events[-1] == StateChanged("mm", Lifecycle.ERROR, "crashed 3 times: not restarted any more")
    assert await simulated.find() == {}


async def test_a_stop_ends_the_wait_for_a_restart(simulated: SimulatedRunner, heard: Heard) -> None:
    simulated.crash("mm")
    await simulated.stop("mm")
    await asyncio.sleep(0.05)

    assert not heard.moved_to(Lifecycle.RUNNING)


async def test_a_kill_switch_is_an_error(simulated: SimulatedRunner, heard: Heard) -> None:
    simulated.fail("mm", "kill switch: drawdown of 5 %")

    assert heard.events[-1] == StateChanged("mm", Lifecycle.ERROR, "kill switch: drawdown of 5 %")
    assert await simulated.find() == {}


async def test_a_bot_stopped_by_hand_says_so(simulated: SimulatedRunner, heard: Heard) -> None:
    simulated.stop_by_hand("mm")

    assert heard.events[-1] == StateChanged("mm", Lifecycle.STOPPED, "stopped by hand")
