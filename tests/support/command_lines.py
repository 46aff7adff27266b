"""Command lines that our files show: whether the command takes them, down to the last word."""

from __future__ import annotations

import click

from reconciler.cli.main import cli


def accepted(words: list[str]) -> click.Context:
    """The context of the innermost command of a command line; fails as the command line would."""
    context = cli.make_context("reconciler", words)
    while isinstance(context.command, click.Group):
        words = [*context._protected_args, *context.args]
        if not words:
            break
        name, found, rest = context.command.resolve_command(context, words)
        assert found is not None
        context = found.make_context(name, list(rest), parent=context)
    return context
