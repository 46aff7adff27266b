"""What reading and checking strategy files costs, next to what nobody can save and what everybody writes first.

Usage: python -m benchmarks.read_files [N]    (default 3,000 files of 25 lines)
Floor: pulling libyaml's events out of the same texts. Peers: PyYAML's CSafeLoader, which builds data and checks
nothing; its pure SafeLoader with jsonschema, on a tenth of the files. All in turn over small batches, so that
whatever else the machine does meets them alike.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

import jsonschema
import yaml
from yaml import cyaml

from benchmarks.fleet import file_text, ratio_line
from reconciler.catalog.loading import HUMMINGBOT_VERSION, load_catalog, schema_text
from reconciler.sources.check import check
from reconciler.sources.yaml.reader import read

ROUNDS = 7
BATCH = 100
READ_GOAL = 1.5
CHECK_GOAL = 1.7

Work = Callable[[Sequence[bytes]], None]


def pull_events(texts: Sequence[bytes]) -> None:
    for text in texts:
        next_event = cyaml.CParser(text).get_event  # type: ignore[attr-defined]  # the stubs leave it out
        while type(next_event()) is not yaml.StreamEndEvent:
            pass


def read_all(texts: Sequence[bytes]) -> None:
    for text in texts:
        read(text, "strategies/a.yaml")


def check_all(texts: Sequence[bytes]) -> None:
    catalog = load_catalog()
    for text in texts:
        check(text, "strategies/a.yaml", catalog)


def load_all(texts: Sequence[bytes]) -> None:
    for text in texts:
        yaml.load(text, Loader=yaml.CSafeLoader)


def load_naively(texts: Sequence[bytes]) -> None:
    schema = json.loads(schema_text(f"strategies/{HUMMINGBOT_VERSION}/pure_market_making.schema.json"))
    for text in texts[:: len(texts) // 10]:
        jsonschema.Draft202012Validator(schema).is_valid(yaml.load(text, Loader=yaml.SafeLoader)["config"])


def measured(works: Sequence[Work], texts: Sequence[bytes]) -> dict[Work, float]:
    """Seconds of processor time that each takes for all texts, the best of some rounds."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        took = dict.fromkeys(works, 0.0)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            for work in works:
                before = time.process_time()
                work(batch)
                took[work] += time.process_time() - before
        best = {work: min(best[work], took[work]) for work in works}
    return best


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    texts = [file_text(number).encode() for number in range(count // BATCH * BATCH)]
    check_all(texts[:1])
    best = measured((pull_events, read_all, check_all, load_all), texts)
    floor = best[pull_events]
    naive = measured((load_naively,), texts[:BATCH])[load_naively] * 10 * len(texts) / BATCH
    print(f"{len(texts):,} files, {floor / len(texts) * 1e6:.0f} µs of libyaml's events each")
    print(ratio_line("read: strict data, numbers exact", best[read_all], floor))
    print(f"goal: at most {READ_GOAL} x floor")
    print(ratio_line("check: read, validate, convert, spec", best[check_all], floor))
    print(f"goal: about {CHECK_GOAL} x floor")
    print(ratio_line("CSafeLoader, data only", best[load_all], floor))
    print(ratio_line("SafeLoader and jsonschema, scaled from a tenth", naive, floor))
    print(f"check is {naive / best[check_all]:.0f} x faster than that")


if __name__ == "__main__":
    main()
