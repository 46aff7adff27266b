"""`agent` still runs the agent, and has commands below it that know its options."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler.agent.doctor.checks import CHECKS
from reconciler.agent.install.installer import InstallRequest
from reconciler.cli.agent import agent
from reconciler.cli.command import CliCommand
from tests.support.cli_project import clean_environment
from tests.support.command_lines import accepted

BELOW = {name: command for name, command in agent.commands.items() if isinstance(command, CliCommand)}


def test_there_are_two_below_it_and_both_have_examples_and_help() -> None:
    assert sorted(agent.commands) == sorted(BELOW) == ["doctor", "install"]
    assert all(command.examples and command.help and command.short_help for command in BELOW.values())
    silent = [
        option.name
        for command in BELOW.values()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


@pytest.mark.parametrize("line", [line for command in BELOW.values() for line, _ in command.examples])
def test_every_example_is_accepted_down_to_its_last_word(line: str) -> None:
    accepted(shlex.split(line))


@pytest.mark.parametrize("line", ["agent --runner simulated --name tokyo", "agent", "agent --fault lose=0.2"])
def test_alone_it_is_the_agent_as_ever(line: str) -> None:
    context = accepted(shlex.split(line))

    assert context.command is agent
    assert context.invoked_subcommand is None


def test_what_is_below_knows_the_options_before_it() -> None:
    context = accepted(["agent", "--name", "tokyo", "--state-dir", "/s", "doctor"])

    assert context.parent is not None
    assert context.parent.params["name"] == "tokyo"
    assert str(context.parent.params["state_dir"]) == "/s"


def reconciler(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_install_has_the_defaults_of_what_it_calls() -> None:
    order, given = InstallRequest(into=Path("x")), accepted(["agent", "install"]).params

    assert {name: given[name] for name in ("limit_s", "python", "force", "wheel_cache")} == {
        name: getattr(order, name) for name in ("limit_s", "python", "force", "wheel_cache")
    }


def test_a_word_that_is_no_command_is_refused() -> None:
    done = reconciler("agent", "instal")

    assert done.returncode == 1
    assert "No such command" in done.stderr


def test_help_shows_the_commands_below_and_the_examples() -> None:
    shown = reconciler("agent", "--help").stdout

    assert "[COMMAND]" in shown
    assert "install  Install Hummingbot" in shown
    assert "doctor   Say what is missing" in shown
    assert "Examples:" in shown


def test_the_shell_completes_commands_and_options_below() -> None:
    def completed(words: str, number: int) -> str:
        return reconciler(
            _RECONCILER_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(number)
        ).stdout

    assert "plain,install" in completed("reconciler agent ", 2)
    assert "plain,--wheel-cache" in completed("reconciler agent install --w", 3)


def test_an_unknown_check_is_refused_with_the_known_ones() -> None:
    done = reconciler("agent", "doctor", "--only", "luck")

    assert done.returncode == 1
    assert all(name in done.stderr for name in CHECKS)


def test_help_of_what_is_below_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom reconciler.cli.main import run\nrun(['agent', 'install', '--help'])\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **clean_environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stderr.split())

    assert {"yaml", "rich", "paho", "git", "jsonschema", "sqlite3"} & loaded == set()
    assert "reconciler.agent.install.installer" not in loaded
