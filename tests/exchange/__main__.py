"""The exchange as a process: `python -m tests.exchange [--port N] [--settings JSON] [--tethered]`.

Its first line on stdout says as JSON where it is. It ends on SIGTERM or SIGINT; tethered, also when its stdin ends,
so that it does not outlive a test that was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

import msgspec

from tests.exchange.server import Exchange, ExchangeSettings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.exchange")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--settings", default="{}", help="ExchangeSettings as JSON")
    parser.add_argument("--tethered", action="store_true", help="end when stdin ends")
    return parser.parse_args()


class _Tether(asyncio.Protocol):
    """Sets an event when stdin ends."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


async def _serve(arguments: argparse.Namespace) -> None:
    settings = msgspec.json.decode(arguments.settings, type=ExchangeSettings)
    settings = msgspec.structs.replace(settings, port=arguments.port or settings.port)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if arguments.tethered:
        await loop.connect_read_pipe(lambda: _Tether(stop), sys.stdin)
    async with Exchange(settings) as exchange:
        print(json.dumps(exchange.addresses), flush=True)
        await stop.wait()


asyncio.run(_serve(_arguments()))
