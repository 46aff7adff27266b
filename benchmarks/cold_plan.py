"""Measures 1 and 2: a whole `reconciler plan` process over N strategies, live snapshot included.

Usage: python -m benchmarks.cold_plan [N]    (default 10,000)
Rounds of floor, cold and warm plan take turns, so that whatever else the machine does falls on all of them; the
medians count. Processor time is that of the whole process tree: what is wall time on one core.
Floor of the cold plan: pulling libyaml's events out of the same files, read with one `cat-file --batch`.
Peer: the naive loop (pure SafeLoader, jsonschema, one publish at a time), measured on a tenth and scaled.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jsonschema
import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from yaml import cyaml

from benchmarks.fleet import agent, git, make_repository, mosquitto, ratio_line, reconciler, workspace
from reconciler.catalog.loading import HUMMINGBOT_VERSION, schema_text

COLD_GOAL = 3.2
NAIVE_GOAL = 12.0
WARM_GOAL_S = 0.75
ROUNDS = 7


def blobs(repository: Path) -> list[bytes]:
    """All strategy files, through one `cat-file --batch`."""
    listing = git(repository, "ls-tree", "-r", "HEAD", "strategies")
    ids = "\n".join(line.split()[2] for line in listing.splitlines()) + "\n"
    out = subprocess.run(
        ["git", "-C", str(repository), "cat-file", "--batch"],
        input=ids.encode(),
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    found = []
    position = 0
    while position < len(out):
        end = out.index(b"\n", position)
        size = int(out[position:end].split()[2])
        found.append(out[end + 1 : end + 1 + size])
        position = end + size + 2
    return found


def floor_s(repository: Path) -> float:
    started = time.perf_counter()
    for blob in blobs(repository):
        parser = cyaml.CParser(blob)  # type: ignore[attr-defined]  # the stubs leave it out
        while type(parser.get_event()) is not yaml.StreamEndEvent:
            pass
    return time.perf_counter() - started


def naive_s(repository: Path, port: int, count: int) -> float:
    """The loop that everybody writes first, scaled up from a tenth of the files."""
    schema = json.loads(schema_text(f"strategies/{HUMMINGBOT_VERSION}/pure_market_making.schema.json"))
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sample = blobs(repository)[: max(1, count // 10)]
    started = time.perf_counter()
    for blob in sample:
        data = yaml.load(blob, Loader=yaml.SafeLoader)
        list(jsonschema.Draft202012Validator(schema).iter_errors(data["config"]))
        client.publish("bench/naive", json.dumps(data), qos=1).wait_for_publish(10)
    took_s = time.perf_counter() - started
    client.disconnect()
    client.loop_stop()
    return took_s * count / len(sample)


class Took(NamedTuple):
    """Seconds of one run: by the clock, and of processors."""

    wall_s: float
    cpu_s: float


def plan(repository: Path, port: int, *, cold: bool) -> Took:
    if cold:
        shutil.rmtree(repository / ".reconciler" / "cache", ignore_errors=True)
    started, before_s = time.perf_counter(), _children_s()
    result = reconciler(repository, port, "plan", "-o", "json")
    took = Took(time.perf_counter() - started, _children_s() - before_s)
    if result.returncode != 0:
        raise RuntimeError(f"the plan is not empty: {result.stdout[:500]}")
    return took


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(name: str, runs: Sequence[Took], floor_s: float) -> float:
    """Print one line about some runs; their median."""
    walls = sorted(run.wall_s for run in runs)
    median = statistics.median(walls)
    cpu = statistics.median(run.cpu_s for run in runs)
    print(ratio_line(name, median, floor_s))
    print(f"    best {walls[0]:.3f} s, worst {walls[-1]:.3f} s; processor time {cpu:.3f} s")
    return median


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with workspace() as folder, mosquitto() as port:
        repository = make_repository(folder / "repository", count)
        with agent(port, folder / "agent"):
            reconciler(repository, port, "apply", "--yes", "--max-change-fraction", "1")
            naive = naive_s(repository, port, count)
            floors, cold, warm = [], [], []
            for _ in range(ROUNDS):
                floors.append(floor_s(repository))
                cold.append(plan(repository, port, cold=True))
                warm.append(plan(repository, port, cold=False))
    floor = statistics.median(floors)
    median = show("cold plan, live snapshot included", cold, floor)
    print(f"goal: at most {COLD_GOAL} x floor, at least {NAIVE_GOAL:.0f} x faster than naive")
    print(f"naive loop {naive:.1f} s: {naive / median:.1f} x slower")
    show("unchanged tree, warm cache, whole process", warm, floor)
    print(f"goal: at most {WARM_GOAL_S} s")


if __name__ == "__main__":
    main()
