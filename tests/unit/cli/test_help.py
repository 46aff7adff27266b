"""Help is quick, complete, and every example in it is accepted."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reconciler.cli.command import CliCommand
from reconciler.cli.main import COMMANDS, MEANINGS, cli
from reconciler.errors import ExitCode


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli, info_name="reconciler")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_is_the_commands_own(name: str) -> None:
    command = dict(commands())[name]

    assert command.get_short_help_str(200) == COMMANDS[name]


def test_every_option_and_command_says_what_it_does() -> None:
    silent = [
        f"{name} {option.name}"
        for name, command in commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]

    assert silent == []
    assert all(command.help for _, command in commands())


EXAMPLES = [
    line for _, command in commands() if isinstance(command, CliCommand) for line, _ in command.examples
]


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_accepted(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strategies").mkdir()
    for file in ("p.json", "strategies/btc-maker.yaml"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.partition(" >")[0])
    context = cli.make_context("reconciler", words)

    name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])

    assert command is not None
    assert name is not None
    command.make_context(name, list(rest), parent=context)


def test_every_command_has_examples_except_groups() -> None:
    bare = [name for name, command in commands() if isinstance(command, CliCommand) and not command.examples]

    assert bare == []
    assert [name for name, command in commands() if not isinstance(command, CliCommand)] == [
        "schema",
        "config",
    ]


def test_help_says_what_each_exit_code_means() -> None:
    assert list(MEANINGS) == list(ExitCode)


def test_help_imports_no_command_and_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['reconciler', '--help']\n"
        "from reconciler.cli.main import run; run(['--help'])\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"asyncio", "logging", "yaml", "rich", "paho", "git", "jsonschema", "sqlite3", "orjson"}

    assert heavy & set(done.stderr.split()) == set()
    assert "reconciler.cli.syncing" not in done.stderr.split()
