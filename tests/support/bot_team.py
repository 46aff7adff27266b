"""A runner of stand-in bots, and what a test does to them; the fixture `team` makes one."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.bridge import Unanswered
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.hummingbot.runner import HummingbotRunner
from reconciler.agent.model import StateChanged
from reconciler.agent.runner import BotEvent
from reconciler.errors import CommandRejected
from reconciler.model.state import Lifecycle
from tests.support.agent_builders import strategy
from tests.support.brokers import Mosquitto
from tests.support.conditions import until
from tests.support.stand_in import QUICK, StandIns, stand_in_runner


class Team:
    """A runner, its bots, and the events that it reported. `again` is what a restarted agent has."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder = folder
        self.broker = broker
        self.bots = StandIns(broker.url)
        self.events: list[BotEvent] = []
        self.runner: HummingbotRunner

    async def open(self, options: BotOptions = QUICK) -> None:
        self.runner = stand_in_runner(self.folder, self.bots, options)
        await self.runner.open(self.events.append)

    async def again(self) -> None:
        """Restart the agent; its bots live on."""
        await self.runner.close()
        moods = self.bots.moods
        self.bots = StandIns(self.broker.url, moods)
        await self.open()

    async def reopen(self, **changes: object) -> None:
        """The same with other options, before anything runs."""
        await self.runner.close()
        self.bots = StandIns(self.broker.url, self.bots.moods)
        await self.open(msgspec.structs.replace(QUICK, **changes))

    async def start(self, *, paused: bool = False, **mood: object) -> int:
        """Start the strategy mm with a bot of such a mood; its process id."""
        self.bots.moods["mm"] = mood
        await self.runner.start(strategy(), paused=paused)
        return await self.pid()

    async def pid(self) -> int:
        found: int = (await self.bots.mood("mm"))["pid"]
        return found

    def moves(self) -> list[StateChanged]:
        return [event for event in self.events if isinstance(event, StateChanged)]

    async def moved_to(self, state: Lifecycle) -> StateChanged:
        await until(lambda: any(move.state is state for move in self.moves()))
        return next(move for move in self.moves() if move.state is state)

    def record(self) -> str:
        return (self.folder / "bots/mm/bot.json").read_text()

    async def answers(self) -> bool:
        """Whether the bot can be asked."""
        try:
            await self.bots.mood("mm")
        except Unanswered:
            return False
        return True


class Deaf:
    """Somebody else at a bot's bridge, who only asks (bridge.BotListener)."""

    def on_alive(self) -> None: ...

    def on_log(self, level: str, logger: str, message: str) -> None: ...

    def on_report(self, report: object) -> None: ...


@contextlib.asynccontextmanager
async def a_team(folder: Path, broker: Mosquitto) -> AsyncIterator[Team]:
    """A team whose bots do not outlive the block, whatever became of them."""
    built = Team(folder, broker)
    await built.open()
    try:
        yield built
        for name in await built.runner.find():
            with contextlib.suppress(CommandRejected):
                await built.runner.stop(name)
        await built.runner.close()
    finally:
        for pid in pids_with(str(folder)):
            os.kill(pid, signal.SIGKILL)


def pids_with(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "stand_in_bot.py" in arguments and text in arguments:
                found.append(int(entry.name))
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
