"""One command line's global options, and the settings that they lead to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.output import note
from reconciler.errors import SettingsError

if TYPE_CHECKING:
    from reconciler.settings.loading import Loaded
    from reconciler.settings.model import Settings

DEFAULT_FILE = Path("reconciler.yaml")

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Invocation:
    """What was given before and with the command; commands get it with `@pass_invocation`.

    `verbosity`: how often -v was given. `flags`: settings by dotted name that options of the command line set;
    they come before all else.
    """

    def __init__(self, config: Path | None, sets: tuple[str, ...], verbosity: int) -> None:
        self.verbosity = verbosity
        self.flags: dict[str, str] = {}
        for text in sets:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise SettingsError(f"--set {text}: this sets nothing", fix="write --set SECTION.KEY=VALUE")
            self.flags[key] = value
        self._config = config
        self._sets = dict(self.flags)
        self._options: dict[str, tuple[str, object]] = {}

    def command(self, *words: str) -> str:
        """A line for the shell that runs `reconciler` with `words`, and with all that this call was given.

        Secrets are masked: who types the line knows them.
        """
        from reconciler.settings.display import shown_text

        given = ["reconciler", *(("--config", str(self._config)) if self._config else ())]
        for key, value in self._sets.items():
            given += ["--set", f"{key}={shown_text(key, value)}"]
        given += filter(None, words)
        for key, (option, chosen) in self._options.items():
            given += [option] if chosen is True else [option, shown_text(key, str(chosen))]
        return shlex.join(given)

    def take(self, key: str, option: str, value: object) -> None:
        """Let an option of the command set `key`; a switch has the value True."""
        self.flags[key] = str(value)
        self._options[key] = (option, value)

    def load(self, *, unused: Collection[str] = ()) -> Loaded:
        """The settings in force and where each came from, read again at each call.

        `unused`: sections that the command does not use: secrets that they name need not be there.

        Raises:
            SettingsError: the file, the environment or an option is wrong.
        """
        from reconciler.settings.loading import load_settings

        file = self._config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
        return load_settings(file, environ=os.environ, flags=self.flags, unused=unused)

    def settings(self, *, unused: Collection[str] = ()) -> Settings:
        """The settings in force; warnings are printed to stderr.

        Raises:
            SettingsError: as `load`.
        """
        loaded = self.load(unused=unused)
        for problem in loaded.warnings:
            note(f"warning: {problem}")
        return loaded.settings

    def log(self, *, long_running: bool = False) -> None:
        """Begin to log to stderr, as much as was asked for."""
        from reconciler.cli.log import log_to_stderr

        log_to_stderr(self.verbosity, long_running=long_running)


pass_invocation = click.make_pass_decorator(Invocation)


def setting_option(key: str, *names: str, **attributes: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401  (click's)
    """An option that sets the setting `key`; the command itself need not know of it."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        del parameter
        invocation = ctx.find_object(Invocation)
        if value is not None and invocation is not None:
            invocation.take(key, names[-1], value)

    return click.option(*names, callback=remember, expose_value=False, **attributes)
