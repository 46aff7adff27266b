"""The demo: six scenarios that happen to a fleet, and how the reconciler handles each.

Each scenario prints what a person would type, the plan, and the log of the service. It ends when Git and the bots
match again; if they do not in time, the demo fails.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from reconciler.aio import wait_for_event
from reconciler.demo.environment import DemoEnvironment, DemoFailed, DemoProcess, expect, open_environment
from reconciler.errors import ExitCode

PATIENCE_S = 20.0
"""How long a scenario may wait for its end; the usual one takes two seconds."""

LOOK_EVERY_S = 0.05

Say = Callable[[str], None]

_LOG_LINE = re.compile(r"\S+Z (\w+) +(.*)")
_BOLD, _DIM, _RED, _YELLOW, _END = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_LEVELS = {"WARNING": _YELLOW, "ERROR": _RED}


async def run_demo(say: Say, *, keep: bool) -> None:
    """Run every scenario and pass each line of output to `say`; with `keep`, leave all running until a signal.

    Raises:
        DemoFailed: a command or a scenario does not end as expected.
        BrokerError: no broker can be started.
    """
    started = time.monotonic()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    async with open_environment() as environment:
        run = _DemoRun(environment, say)
        for number, (title, scenario) in enumerate(SCENARIOS, 1):
            say(f"\n{_BOLD}{number}. {title}{_END}")
            await scenario(run)
        say(f"\n{_BOLD}All of it in {time.monotonic() - started:.0f} seconds.{_END}")
        if keep:
            await _keep_running(environment, say)


class _DemoRun:
    """Runs commands in the environment and prints them with their output."""

    def __init__(self, environment: DemoEnvironment, say: Say) -> None:
        self.environment = environment
        self.say = say
        self.service: DemoProcess | None = None

    def show_command(self, line: str) -> None:
        self.say(f"\n{_BOLD}$ {line}{_END}")

    async def run(self, *arguments: str, wanted: ExitCode = ExitCode.OK) -> None:
        """Run `reconciler …` and print the command and its output.

        Raises:
            DemoFailed: it ends with another exit code than `wanted`.
        """
        command = f"reconciler {' '.join(arguments)}"
        self.show_command(command)
        code, output = await self.environment.reconciler(*arguments)
        for line in _indented(output):
            self.say(line)
        expect(code, wanted, command)

    async def commit(self, message: str) -> None:
        self.show_command(f"git commit --all --message '{message}'")
        await self.environment.commit(message)

    async def follow_service(self, last: str) -> None:
        """Print the log of the service until a line matches `last`.

        Raises:
            DemoFailed: none does within PATIENCE_S.
        """
        assert self.service is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.environment.check()
            for line in self.service.new_lines():
                self.say(_service_line(line))
                if re.search(last, line):
                    return
            await asyncio.sleep(LOOK_EVERY_S)
        raise DemoFailed(f"the service did not say {last!r} within {PATIENCE_S:g} s")

    async def expect_in_sync(self) -> None:
        """Repeat `plan` until it is empty, and print it.

        Raises:
            DemoFailed: it is not empty within PATIENCE_S.
        """
        deadline = time.monotonic() + PATIENCE_S
        code, output = await self.environment.reconciler("plan")
        while code != ExitCode.OK and time.monotonic() < deadline:
            self.environment.check()
            await asyncio.sleep(LOOK_EVERY_S)
            code, output = await self.environment.reconciler("plan")
        for line in self.service.new_lines() if self.service else ():
            self.say(_service_line(line))
        self.show_command("reconciler plan")
        for line in _indented(output if code else output.strip().rpartition("\n")[2]):
            self.say(line)
        expect(code, ExitCode.OK, "reconciler plan")


_Scenario: TypeAlias = Callable[[_DemoRun], Awaitable[None]]

SCENARIOS: list[tuple[str, _Scenario]] = []
"""Title and function of each scenario, in the order of their definitions below."""


def _scenario(title: str) -> Callable[[_Scenario], _Scenario]:
    """Add a function to SCENARIOS."""

    def register(function: _Scenario) -> _Scenario:
        SCENARIOS.append((title, function))
        return function

    return register


@_scenario("A repository of strategies, and not one bot")
async def _first_sync(run: _DemoRun) -> None:
    environment = run.environment
    await environment.start("agent", "agent", "--heartbeat", "2")
    await run.run("plan", wanted=ExitCode.CHANGES)
    run.show_command("reconciler run &")
    run.service = await environment.start("service", "run")
    await run.follow_service(r"Sync of \w+ finished")
    await run.run("status", "--quick")


@_scenario("A commit changes a spread: applied while the bot runs")
async def _spread(run: _DemoRun) -> None:
    file = run.environment.strategies[0]
    run.show_command(f"sed -i 's/bid_spread: .*/bid_spread: 0.25%/' {_name(file)}")
    _edit(file, r"bid_spread: .*", "bid_spread: 0.25%")
    await run.run("plan", "--worktree", wanted=ExitCode.CHANGES)
    await run.commit("Widen a spread")
    await run.follow_service(r"Sync of \w+ finished")
    await run.expect_in_sync()


@_scenario("A pull request with a mistake: refused with place and fix")
async def _mistake(run: _DemoRun) -> None:
    environment = run.environment
    await environment.git("switch", "--quiet", "--create", "tighter")
    file = environment.strategies[1]
    _edit(file, r"bid_spread:", "bid_spred:")
    await environment.commit("Tighter spreads")
    run.show_command("git switch --create tighter   # with bid_spread mistyped")
    await run.run("validate", "--ref", "tighter", wanted=ExitCode.INVALID)
    run.say("  (exit code 5: the check of the pull request fails)")
    await environment.git("switch", "--quiet", "main")
    run.show_command("git merge tighter   # if it is merged all the same, the bots stay as they are")
    await environment.git("merge", "--quiet", "tighter")
    await run.follow_service("not applied")
    run.show_command("git revert HEAD")
    await environment.git("revert", "--no-edit", "HEAD")
    await run.expect_in_sync()


@_scenario("A bot changed by hand: found and healed")
async def _by_hand(run: _DemoRun) -> None:
    name = run.environment.strategies[0].stem
    topic, payload = "hummingbot/strategy/update", f'{{"strategy_name":"{name}","config":{{"bid_spread":9}}}}'
    run.show_command(f"mosquitto_pub -t {topic} -m '{payload}'")
    await run.environment.publish(topic, payload.encode())
    await run.follow_service(r"Sync of \w+ finished")
    await run.expect_in_sync()


@_scenario("A file deleted: the bot is stopped and deleted")
async def _deleted(run: _DemoRun) -> None:
    file = run.environment.strategies[-1]
    run.show_command(f"git rm {_name(file)}")
    file.unlink()
    await run.run("plan", "--worktree", wanted=ExitCode.CHANGES)
    await run.commit(f"Retire {file.stem}")
    await run.follow_service(r"Sync of \w+ finished")
    await run.expect_in_sync()


@_scenario("The broker is killed, a commit is made meanwhile, the broker comes back")
async def _broker_lost(run: _DemoRun) -> None:
    file = run.environment.strategies[0]
    run.show_command("kill -9 BROKER")
    run.environment.broker.kill()
    await run.follow_service("Broker lost")
    _edit(file, r"ask_spread: .*", "ask_spread: 0.3%")
    await run.commit("Widen the other side")
    await run.follow_service(r"Sync of \w+ finished")
    await run.expect_in_sync()


async def _keep_running(environment: DemoEnvironment, say: Say) -> None:
    """Print how to go on, and wait for SIGINT or SIGTERM."""
    say(f"\nEverything is still running. In another terminal:\n  cd {environment.folder}")
    say("  reconciler status\n  reconciler logs -f\n  $EDITOR strategies/*.yaml && git commit --all")
    say("Ctrl-C ends it and removes the folder.")
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        environment.check()
        await wait_for_event(stop, 1.0)


def _edit(file: Path, pattern: str, replacement: str) -> None:
    """Replace the first match of `pattern` in a file.

    Raises:
        DemoFailed: nothing matches.
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
