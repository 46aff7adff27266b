"""An agent as a process of its own, for tests: `python agent_process.py SETTINGS`, AgentSettings as JSON."""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec

from reconciler.agent.main import AgentSettings, run_agent
from reconciler.errors import ReconcilerError


def _settings(text: str) -> AgentSettings:
    return msgspec.json.decode(text, type=AgentSettings, dec_hook=lambda kind, value: kind(value))


async def _main(settings: AgentSettings) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await run_agent(settings, stop=stop)


if __name__ == "__main__":
    try:
        asyncio.run(_main(_settings(sys.argv[1])))
    except ReconcilerError as error:
        sys.exit(f"error: {error}\nfix: {error.fix}")
