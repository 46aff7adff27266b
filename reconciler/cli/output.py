"""How results leave a command: text or JSON on stdout, notes on stderr. Nothing else prints to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

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
    """Print a result; colours in it reach only a terminal, and none with NO_COLOR."""
    click.echo(text)


def say_json(value: object) -> None:
    """Print a result for machines: one JSON document, indented, numbers exact."""
    import msgspec

    encoded = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode).encode(value)
    click.echo(msgspec.json.format(encoded, indent=2))


def note(text: str) -> None:
    """Say something beside the result."""
    click.echo(text, err=True)


def is_terminal() -> bool:
    """Whether a person sits at both ends: can be asked, and sees the question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _encode(value: object) -> object:
    """What msgspec does not write by itself."""
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
