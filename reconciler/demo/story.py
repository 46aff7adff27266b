"""The demo's story: six things that happen to a fleet, and what the reconciler does about each.

Each scene shows what a person would do, the plan, and what the service says; it ends when Git and the bots
agree again, or the demo fails.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from reconciler.aio import wait_for_event
from reconciler.demo.stage import Child, DemoFailed, Stage, expect, open_stage
from reconciler.errors import ExitCode

PATIENCE_S = 20.0
"""How long a scene may take to end well; the usual one takes two seconds."""

LOOK_EVERY_S = 0.05

Say = Callable[[str], None]

_LOG_LINE = re.compile(r"\S+Z (\w+) +(.*)")
_BOLD, _DIM, _RED, _YELLOW, _END = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_LEVELS = {"WARNING": _YELLOW, "ERROR": _RED}


async def run_demo(say: Say, *, keep: bool) -> None:
    """Tell the story, line by line to `say`; with `keep`, stay until a signal when it is over.

    Raises:
        DemoFailed: something did not go as it should.
        BrokerError: no broker can be started.
    """
    started = time.monotonic()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    async with open_stage() as stage:
        teller = _Teller(stage, say)
        for number, scene in enumerate(SCENES, 1):
            teller.title(number, scene.__doc__ or "")
            await scene(teller)
        say(f"\n{_BOLD}All of it in {time.monotonic() - started:.0f} seconds.{_END}")
        if keep:
            await _stay(stage, say)


class _Teller:
    """Plays on the stage and tells what is to be seen."""

    def __init__(self, stage: Stage, say: Say) -> None:
        self.stage = stage
        self.say = say
        self.service: Child | None = None

    def title(self, number: int, text: str) -> None:
        self.say(f"\n{_BOLD}{number}. {text}{_END}")

    def typed(self, line: str) -> None:
        self.say(f"\n{_BOLD}$ {line}{_END}")

    async def run(self, *arguments: str, wanted: ExitCode = ExitCode.OK) -> None:
        """Type one of our commands and show what it says.

        Raises:
            DemoFailed: it ends with another exit code than `wanted`.
        """
        command = f"reconciler {' '.join(arguments)}"
        self.typed(command)
        code, output = await self.stage.reconciler(*arguments)
        for line in _indented(output):
            self.say(line)
        expect(code, wanted, command)

    async def commit(self, message: str) -> None:
        self.typed(f"git commit --all --message '{message}'")
        await self.stage.commit(message)

    async def hears(self, last: str) -> None:
        """Show what the service says, until a line matches `last`.

        Raises:
            DemoFailed: it does not say so in time.
        """
        assert self.service is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.stage.check()
            for line in self.service.news():
                self.say(_service_line(line))
                if re.search(last, line):
                    return
            await asyncio.sleep(LOOK_EVERY_S)
        raise DemoFailed(f"the service did not say {last!r} within {PATIENCE_S:g} s")

    async def agree(self) -> None:
        """See that Git and the bots agree, and say so.

        Raises:
            DemoFailed: they do not, after some time.
        """
        deadline = time.monotonic() + PATIENCE_S
        code, output = await self.stage.reconciler("plan")
        while code != ExitCode.OK and time.monotonic() < deadline:
            self.stage.check()
            await asyncio.sleep(LOOK_EVERY_S)
            code, output = await self.stage.reconciler("plan")
        for line in self.service.news() if self.service else ():
            self.say(_service_line(line))
        self.typed("reconciler plan")
        for line in _indented(output if code else output.strip().rpartition("\n")[2]):
            self.say(line)
        expect(code, ExitCode.OK, "reconciler plan")


async def _first_sync(teller: _Teller) -> None:
    """A repository of strategies, and not one bot"""
    stage = teller.stage
    await stage.start("agent", "agent", "--heartbeat", "2")
    await teller.run("plan", wanted=ExitCode.CHANGES)
    teller.typed("reconciler run &")
    teller.service = await stage.start("service", "run")
    await teller.hears(r"Sync of \w+ finished")
    await teller.run("status", "--quick")


async def _spread(teller: _Teller) -> None:
    """A commit changes a spread: applied while the bot runs"""
    file = teller.stage.strategies[0]
    teller.typed(f"sed -i 's/bid_spread: .*/bid_spread: 0.25%/' {_name(file)}")
    _edit(file, r"bid_spread: .*", "bid_spread: 0.25%")
    await teller.run("plan", "--worktree", wanted=ExitCode.CHANGES)
    await teller.commit("Widen a spread")
    await teller.hears(r"Sync of \w+ finished")
    await teller.agree()


async def _mistake(teller: _Teller) -> None:
    """A pull request with a mistake: refused with place and fix"""
    stage = teller.stage
    await stage.git("switch", "--quiet", "--create", "tighter")
    file = stage.strategies[1]
    _edit(file, r"bid_spread:", "bid_spred:")
    await stage.commit("Tighter spreads")
    teller.typed("git switch --create tighter   # and somebody mistypes bid_spread")
    await teller.run("validate", "--ref", "tighter", wanted=ExitCode.INVALID)
    teller.say("  (exit code 5: the check of the pull request fails)")
    await stage.git("switch", "--quiet", "main")
    teller.typed("git merge tighter   # if it is merged all the same, the bots stay as they are")
    await stage.git("merge", "--quiet", "tighter")
    await teller.hears("not applied")
    teller.typed("git revert HEAD")
    await stage.git("revert", "--no-edit", "HEAD")
    await teller.agree()


async def _by_hand(teller: _Teller) -> None:
    """A bot changed by hand: found and healed"""
    name = teller.stage.strategies[0].stem
    topic, payload = "hummingbot/strategy/update", f'{{"strategy_name":"{name}","config":{{"bid_spread":9}}}}'
    teller.typed(f"mosquitto_pub -t {topic} -m '{payload}'")
    await teller.stage.publish(topic, payload.encode())
    await teller.hears(r"Sync of \w+ finished")
    await teller.agree()


async def _deleted(teller: _Teller) -> None:
    """A file deleted: the bot is stopped and deleted"""
    file = teller.stage.strategies[-1]
    teller.typed(f"git rm {_name(file)}")
    file.unlink()
    await teller.run("plan", "--worktree", wanted=ExitCode.CHANGES)
    await teller.commit(f"Retire {file.stem}")
    await teller.hears(r"Sync of \w+ finished")
    await teller.agree()


async def _broker_lost(teller: _Teller) -> None:
    """The broker is killed, a commit is made meanwhile, the broker comes back"""
    file = teller.stage.strategies[0]
    teller.typed("kill -9 BROKER")
    teller.stage.broker.kill()
    await teller.hears("Broker lost")
    _edit(file, r"ask_spread: .*", "ask_spread: 0.3%")
    await teller.commit("Widen the other side")
    await teller.hears(r"Sync of \w+ finished")
    await teller.agree()


SCENES: tuple[Callable[[_Teller], Awaitable[None]], ...] = (
    _first_sync,
    _spread,
    _mistake,
    _by_hand,
    _deleted,
    _broker_lost,
)


async def _stay(stage: Stage, say: Say) -> None:
    """Say how to go on, and wait until somebody ends it."""
    say(f"\nIt all still runs. In another terminal:\n  cd {stage.folder}")
    say("  reconciler status\n  reconciler logs -f\n  $EDITOR strategies/*.yaml && git commit --all")
    say("Ctrl-C ends it and removes the folder.")
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        stage.check()
        await wait_for_event(stop, 1.0)


def _edit(file: Path, pattern: str, replacement: str) -> None:
    """Change one place of a file.

    Raises:
        DemoFailed: it is not there.
    """
    text, number = re.subn(pattern, replacement, file.read_text(), count=1)
    if not number:
        raise DemoFailed(f"{file.name} has no {pattern}")
    file.write_text(text)


def _name(file: Path) -> str:
    return f"strategies/{file.name}"


def _indented(output: str) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in output.strip().splitlines())


def _service_line(line: str) -> str:
    """A line of the service's log without its time."""
    found = _LOG_LINE.fullmatch(line)
    level, text = found.groups() if found else ("", line)
    return f"  {_DIM}service |{_END} {_LEVELS.get(level, '')}{text}{_END if level in _LEVELS else ''}"
