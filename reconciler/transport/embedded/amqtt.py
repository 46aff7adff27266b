"""
amqtt on loopback, for `embedded:` where Mosquitto is not installed: `python -P amqtt.py PORT`.

Run by its path, as a process of its own, so that a broker in pure Python does not share the client's event loop.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from amqtt.broker import Broker

SHUTDOWN_S = 3.0
"""How long its shutdown may take."""


async def serve(port: int) -> None:
    """Run the broker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await stop.wait()
    async with asyncio.timeout(SHUTDOWN_S):
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
