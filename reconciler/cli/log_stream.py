"""The stream of log records that `logs` prints."""

from __future__ import annotations

import asyncio

import click
import msgspec

from reconciler.aio import wait_for_event
from reconciler.app import open_app
from reconciler.cli.output import note, say
from reconciler.cli.terminal import stop_on_signals
from reconciler.errors import ReconcilerError
from reconciler.model.spec import Key
from reconciler.plan.render.values import printable
from reconciler.protocol.messages import LogRecord, MalformedMessage
from reconciler.protocol.reports import decode_log
from reconciler.settings.model import Settings

_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


async def listen(settings: Settings, keys: frozenset[Key], for_s: float | None, output: str) -> None:
    """Print log records as they come, of `keys` or of all, for so long or until a signal.

    Raises:
        ReconcilerError: the broker is out of reach, or what is printed cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    stop = asyncio.Event()
    stop_on_signals(stop)
    printer = _LogPrinter(keys, output, stop)
    async with open_app(settings, stop=stop, logs=True) as app:
        app.fleet.on_logs(printer.take)
        if for_s is None:
            await stop.wait()
        else:
            await wait_for_event(stop, for_s)
    if printer.lost is not None:
        raise printer.lost
    if not printer.printed and for_s is not None:
        note(f"nothing was logged within {for_s:g} s; with -f: go on listening")


class _LogPrinter:
    """Prints log records until that fails: a listener must not raise, so `lost` says why, and `stop` is set."""

    def __init__(self, keys: frozenset[Key], output: str, stop: asyncio.Event) -> None:
        self.printed = 0
        self.lost: Exception | None = None
        self._keys = keys
        self._output = output
        self._stop = stop

    def take(self, target: str, payload: bytes) -> None:
        """Print one record, if it is one, of a strategy that is asked for."""
        try:
            record = decode_log(payload)
        except MalformedMessage:
            return
        key = Key(target, record.strategy_name)
        if self.lost is not None or (self._keys and key not in self._keys):
            return
        text = msgspec.json.encode(record).decode() if self._output == "json" else log_line(key, record)
        try:
            say(text)
        except (BrokenPipeError, ReconcilerError) as error:
            self.lost = error
            self._stop.set()
        else:
            self.printed += 1


def log_line(key: Key, record: LogRecord) -> str:
    """One record for people; whatever the wire says, nothing of it reaches a terminal as a control sequence."""
    level = f"{printable(record.level):<7}"
    if (colour := _COLOURS.get(record.level)) is not None:
        level = click.style(level, fg=colour)
    return f"{printable(str(record.timestamp or '-'))} {level} {printable(str(key))}: {printable(record.message)}"
