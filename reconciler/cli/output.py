"""How results leave a command: text or JSON on stdout, notes on stderr. Nothing else prints to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from reconciler.cli.failure import forget_stdout
from reconciler.errors import ReconcilerError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def output_option(*more: str) -> Callable[[_Command], _Command]:
    """`-o`, with text, json and what else a command has."""
    forms = ("text", "json", *more)
    return click.option(
        "-o",
        "--output",
        type=click.Choice(forms),
        default="text",
        show_default=True,
        help="Form of the output.",
    )


def say(text: str) -> None:
    """Print a result; colours in it reach only a terminal, and none with NO_COLOR.

    Raises:
        ReconcilerError: it cannot be written; a result that nobody gets is no success.
        BrokenPipeError: nobody reads any more.
    """
    _print(text)


def say_json(value: object) -> None:
    """Print a result for machines: one JSON document, indented, numbers exact.

    Raises:
        ReconcilerError, BrokenPipeError: as `say`.
    """
    import msgspec

    encoded = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode).encode(value)
    _print(msgspec.json.format(encoded, indent=2))


def _print(text: str | bytes) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_stdout()
        raise ReconcilerError(
            f"the output cannot be written: {error.strerror}", fix="make room, or write it elsewhere"
        ) from error


def note(text: str) -> None:
    """Print a remark to stderr; stdout is the result."""
    click.echo(text, err=True)


def is_terminal() -> bool:
    """Whether a person sits at both ends: can be asked, and sees the question."""
    return all(end is not None and end.isatty() for end in (sys.stdin, sys.stderr))


def _encode(value: object) -> object:
    """What msgspec does not write by itself."""
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
