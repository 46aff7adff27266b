"""Options that several commands have. Each sets a setting, so that a flag and `--set` mean the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from reconciler.cli.invocation import setting_option
from reconciler.model.spec import DEFAULT_TARGET, Key

_Command = TypeVar("_Command", bound=Callable[..., Any])


def source_options(command: _Command) -> _Command:
    """`--ref` and `--worktree`: what of the repository counts."""
    for option in (
        setting_option(
            "source.worktree",
            "--worktree",
            is_flag=True,
            default=None,
            help="Use the files as they are, committed or not.",
        ),
        setting_option("source.ref", "--ref", metavar="REF", help="Use this branch, tag or commit."),
    ):
        command = option(command)
    return command


def broker_option(command: _Command) -> _Command:
    """`--broker`: where the bots are."""
    return setting_option(
        "broker.url", "--broker", metavar="URL", help="MQTT broker, such as mqtt://localhost:1883."
    )(command)


def brake_options(command: _Command) -> _Command:
    """The brakes of `sync`, to be loosened for one call."""
    for key, kind, what in _BRAKES:
        name = "--" + key.replace("_", "-")
        command = setting_option(f"sync.{key}", name, type=kind, metavar=_METAVARS[kind], help=what)(command)
    return command


_BRAKES: tuple[tuple[str, type, str], ...] = (
    ("max_restarts", int, "Allow this many restarts of running bots."),
    ("max_change_fraction", float, "Allow changes of this part of the fleet, 0 to 1."),
    ("max_deletes", int, "Allow this many deletes."),
)
"""Key of the setting, type, help; listed last first, as decorators apply."""

_METAVARS = {int: "N", float: "PART"}

adopt_option = click.option(
    "--adopt", is_flag=True, help="Take over live strategies in Git that are not ours."
)

wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.0),
    metavar="SECONDS",
    help="Wait at most this long until all bots have reported.  [default: basic_window + 1]",
)


class StrategyKey(click.ParamType[Key]):
    """`NAME`, or `TARGET/NAME` where there are several targets."""

    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Key:
        del param, ctx
        if isinstance(value, Key):
            return value
        target, _, name = str(value).rpartition("/")
        return Key(target or DEFAULT_TARGET, name)
