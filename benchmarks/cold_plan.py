"""Measures 1 and 2: a whole `reconciler plan` process over N strategies, live snapshot included.

Usage: python -m benchmarks.cold_plan [N]    (default 10,000)
Floor of the cold plan: pulling libyaml's events out of the same files, read with one `cat-file --batch`.
Peer: the naive loop (pure SafeLoader, jsonschema, one publish at a time), measured on a tenth and scaled.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from yaml import cyaml

from benchmarks.fleet import agent, git, make_repository, mosquitto, ratio_line, reconciler, workspace
from reconciler.catalog.packaged import HUMMINGBOT_VERSION, schema_text

COLD_GOAL = 1.7
NAIVE_GOAL = 15.0
WARM_GOAL_S = 0.3


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


def plan_s(repository: Path, port: int) -> float:
    started = time.perf_counter()
    result = reconciler(repository, port, "plan", "-o", "json")
    took_s = time.perf_counter() - started
    if result.returncode != 0:
        raise RuntimeError(f"the plan is not empty: {result.stdout[:500]}")
    return took_s


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with workspace() as folder, mosquitto() as port:
        repository = make_repository(folder / "repository", count)
        with agent(port, folder / "agent"):
            reconciler(repository, port, "apply", "--yes", "--max-change-fraction", "1")
            floor = min(floor_s(repository) for _ in range(3))
            naive = naive_s(repository, port, count)
            cold = []
            for _ in range(3):
                shutil.rmtree(repository / ".reconciler" / "cache", ignore_errors=True)
                cold.append(plan_s(repository, port))
            warm = min(plan_s(repository, port) for _ in range(3))
    print(ratio_line("cold plan, live snapshot included", min(cold), floor))
    print(f"goal: at most {COLD_GOAL} x floor, at least {NAIVE_GOAL:.0f} x faster than naive")
    print(f"naive loop {naive:.1f} s: {naive / min(cold):.1f} x slower")
    print(ratio_line("unchanged tree, warm cache, whole process", warm, floor))
    print(f"goal: at most {WARM_GOAL_S} s")


if __name__ == "__main__":
    main()
