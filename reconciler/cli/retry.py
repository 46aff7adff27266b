"""`retry`: lets a strategy go on that stopped with an error."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import command
from reconciler.cli.failure import no_such_strategy
from reconciler.cli.invocation import Invocation, pass_invocation
from reconciler.cli.options import (
    StrategyKey,
)
from reconciler.cli.output import output_option, say, say_json
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.model.spec import Key


@command(
    "Try again a strategy that stopped with an error.",
    examples=[("retry btc-maker", ""), ("retry tokyo/btc-maker", "of the target tokyo")],
)
@click.argument("key", metavar="NAME", type=StrategyKey())
@output_option()
@pass_invocation
def retry(invocation: Invocation, key: Key, output: str) -> ExitCode:
    """Let a strategy go on that its bot stopped with an error (kill switch, drawdown, crash limit).

    Without this it stays blocked until its file changes. The next pass, of `apply` or of the service, acts.
    """
    from reconciler.store.sqlite import open_store

    with contextlib.closing(open_store(invocation.settings().store.url)) as store:
        if not store.ask_retry(key):
            raise no_such_strategy([key], store.inventory(), "among those that we manage")
    if output == "json":
        say_json({"format": "reconciler.retry/1", "exit_code": 0, "target": key.target, "name": key.name})
    else:
        say(f"{key}: the next pass tries again, if its bot has stopped with an error")
    return ExitCode.OK
