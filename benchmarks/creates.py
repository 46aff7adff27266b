"""Measure 4: N creates, each confirmed by answer and status, against paho's publish-only rate in the same run.

Timed from the first command to the last confirmation; planning is measure 1's, and the whole pass is shown next to it.
paho publishes a file of the fleet, which is shorter than its create, right before and right after.

Usage: python -m benchmarks.creates [N]      (default 10,000; unmodified Mosquitto, simulated agent next to it)
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.fleet import agent, file_text, make_repository, mosquitto, workspace
from reconciler.app import open_app
from reconciler.desired import desired_of
from reconciler.model.change import Change, Step
from reconciler.model.report import Outcome, StepResult
from reconciler.settings.model import BrokerSettings, Settings, SourceSettings, StoreSettings, SyncSettings

GOAL = 0.40


def publish_only(port: int, count: int) -> float:
    """Messages a second that paho alone publishes at QoS 1, each acknowledged, default client settings."""
    done = threading.Event()
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == count:
            done.set()

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    payload = file_text(1).encode()
    started = time.perf_counter()
    for _ in range(count):
        client.publish("bench/publish", payload, qos=1)
    if not done.wait(120):
        raise TimeoutError(f"{acknowledged} of {count} acknowledged")
    took_s = time.perf_counter() - started
    client.disconnect()
    client.loop_stop()
    return count / took_s


class Span:
    """When the first step began and the last one ended, in seconds; a `Progress`."""

    def __init__(self) -> None:
        self.began = 0.0
        self.ended = 0.0

    def __call__(self, change: Change, step: Step, result: StepResult | None) -> None:
        del change, step
        self.ended = time.perf_counter()
        if result is None:
            self.began = self.began or self.ended


async def creates(folder: Path, port: int, count: int) -> tuple[float, float]:
    """Creates a second from an empty agent to all confirmed: of the commands alone, and of the whole pass."""
    settings = Settings(
        source=SourceSettings(repository=str(folder)),
        broker=BrokerSettings(url=f"mqtt://127.0.0.1:{port}"),
        sync=SyncSettings(max_change_fraction=1.0),
        store=StoreSettings(url=str(folder / ".reconciler" / "state.db")),
    )
    span = Span()
    async with open_app(settings, stop=asyncio.Event()) as app:
        desired = desired_of(app.loader.load(), settings)
        await app.fleet.settle(30.0)
        started = time.perf_counter()
        report = await app.reconciler.run(desired, app.reconciler.options(), progress=span)
        took_s = time.perf_counter() - started
    confirmed = sum(result.outcome is Outcome.CONFIRMED for result in report.results)
    if confirmed != count:
        odd = next(result for result in report.results if result.outcome is not Outcome.CONFIRMED)
        raise RuntimeError(f"{confirmed} of {count} confirmed; {msgspec.json.encode(odd.steps)!r}")
    return count / (span.ended - span.began), count / took_s


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with workspace() as folder, mosquitto() as port:
        repository = make_repository(folder / "repository", count)
        before = publish_only(port, count)
        with agent(port, folder / "agent"):
            ours, whole_pass = asyncio.run(creates(repository, port, count))
        floor = (before + publish_only(port, count)) / 2
    print(f"creates confirmed {ours:8.0f}/s   paho publish-only {floor:8.0f}/s   ratio {ours / floor:.2f}")
    print(f"  planning and telling included {whole_pass:8.0f}/s   ratio {whole_pass / floor:.2f}")
    print(f"  goal: at least {GOAL:.2f}, none lost: {'holds' if ours / floor >= GOAL else 'does not hold'}")


if __name__ == "__main__":
    main()
