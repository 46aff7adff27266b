"""How a running command is told to stop, and to read its settings again."""

from __future__ import annotations

import asyncio
import signal


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`; the same signal again acts as if we had never asked for it."""
    loop = asyncio.get_running_loop()

    def ask_to_stop(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number)


def reload_on_signal(reload: asyncio.Event) -> None:
    """Let SIGHUP set `reload`."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
