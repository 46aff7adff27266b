"""The work behind `status` and `logs`: one look around, or listening."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import click
import msgspec

from reconciler.aio import wait_for_event
from reconciler.app import App, open_app
from reconciler.cli.output import note, say
from reconciler.cli.overview import Row, Sides, rows
from reconciler.cli.picture import look, patience_of
from reconciler.cli.progress import waiting
from reconciler.cli.signals import stop_on_signals
from reconciler.errors import InvalidFiles, ReconcilerError, SourceError
from reconciler.fleet.client import FleetClient
from reconciler.model.change import Plan
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Lifecycle, Observed
from reconciler.plan.render.values import printable
from reconciler.protocol.messages import LogRecord, MalformedMessage, Performance
from reconciler.protocol.reports import decode_log
from reconciler.settings.model import Settings

FIGURES_S = 6.0
"""How long `status` waits for performance: agents send each strategy's every 5 s."""

LOOK_EVERY_S = 0.1

_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


async def look_around(settings: Settings, wait_s: float | None, *, quick: bool) -> tuple[Plan, list[Row]]:
    """The plan that would be made now, and a row for each strategy.

    Raises:
        ReconcilerError: the broker is out of reach, or nothing is known of what is wanted.
    """
    async with open_app(settings, stop=asyncio.Event(), performance=True) as app:
        desired = await _desired(app, wait_s)
        if not quick:
            await _figures(app.fleet)
        observed = app.fleet.observe()
        plan = app.reconciler.plan(desired, app.reconciler.options())

        def figures(key: Key) -> Performance | None:
            return app.fleet.state(key.target).performance(key.name) if key.target in observed else None

        return plan, rows(Sides(plan, desired, observed, figures, datetime.now(UTC)))


async def _desired(app: App, wait_s: float | None) -> Desired:
    """What Git wants; if it cannot be read or is wrong, what was last in force, and a note that says so."""
    try:
        return await look(app, wait_s)
    except (SourceError, InvalidFiles) as error:
        last = app.store.last_good()
        if last is None:
            raise
        note(f"note: {error}; compared with {last.commit[:7]}, which is in force")
    await app.fleet.settle(patience_of(app.settings) if wait_s is None else wait_s)
    return last


async def _figures(live: FleetClient) -> None:
    """Listen until every running strategy has sent its performance, within limits."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + FIGURES_S
    with waiting("waiting for performance figures …"):
        while clock() < deadline and not _all_told(live, live.observe()):  # noqa: ASYNC110  (figures are no news)
            await asyncio.sleep(LOOK_EVERY_S)


def _all_told(live: FleetClient, observed: Mapping[str, Observed]) -> bool:
    return all(
        live.state(target).performance(name) is not None
        for target, view in observed.items()
        for name, seen in view.strategies.items()
        if seen.state is Lifecycle.RUNNING
    )


async def listen(settings: Settings, keys: frozenset[Key], for_s: float | None, output: str) -> None:
    """Print log records as they come, of `keys` or of all, for so long or until a signal.

    Raises:
        ReconcilerError: the broker is out of reach, or what is printed cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    stop = asyncio.Event()
    stop_on_signals(stop)
    printer = _Printer(keys, output, stop)
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


class _Printer:
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
        if self.lost is None and (not self._keys or key in self._keys):
            self._print(key, record)

    def _print(self, key: Key, record: LogRecord) -> None:
        try:
            say(_line(key, record) if self._output == "text" else msgspec.json.encode(record).decode())
        except (BrokenPipeError, ReconcilerError) as error:
            self.lost = error
            self._stop.set()
        else:
            self.printed += 1


def _line(key: Key, record: LogRecord) -> str:
    colour = _COLOURS.get(record.level)
    level = click.style(f"{record.level:<7}", fg=colour) if colour else f"{record.level:<7}"
    return f"{record.timestamp or '-'} {level} {key}: {printable(record.message)}"
