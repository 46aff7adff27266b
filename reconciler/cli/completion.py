"""`completion`: what makes a shell complete our commands."""

from __future__ import annotations

import click

from reconciler.cli.command import command
from reconciler.cli.output import say
from reconciler.errors import ExitCode


@command(
    "Print the completion script of a shell.",
    examples=[
        ("completion bash >> ~/.bashrc", ""),
        ("completion fish > ~/.config/fish/completions/reconciler.fish", ""),
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> ExitCode:
    """Print the line that makes a shell complete commands, options and values.

    To try it in the present shell:  eval "$(reconciler completion bash)"
    """
    if shell == "fish":
        say("_RECONCILER_COMPLETE=fish_source reconciler | source")
    else:
        say(f'eval "$(_RECONCILER_COMPLETE={shell}_source reconciler)"')
    return ExitCode.OK
