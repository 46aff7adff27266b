"""One command line's global options, and the settings that they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from reconciler.cli.noise import Noise
from reconciler.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Invocation:
    """What was given before and with the command; commands get it with `@pass_invocation`.

    `flags`: settings by dotted name that options of the command line set; they come before all else.
    """

    def __init__(self, config: str | None, sets: tuple[str, ...], noise: Noise) -> None:
        self.config = config
        self.noise = noise
        self.flags: dict[str, str] = {}
        self._sets = sets

    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            SettingsError: the file, the environment or an option is wrong.
        """
        raise NotImplementedError


pass_invocation = click.make_pass_decorator(Invocation)


def setting_option(key: str, *names: str, **attributes: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401  (click's)
    """An option that sets the setting `key`; the command itself need not know of it."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        del parameter
        if value is not None:
            ctx.ensure_object(Invocation).flags[key] = str(value)

    return click.option(*names, callback=remember, expose_value=False, **attributes)
