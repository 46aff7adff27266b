"""
Blobs → Checked: here, or in processes of their own if they are many.

Many files here would keep the interpreter busy while the bots report, and a broker drops what its reader
leaves waiting. Where this process can be copied, a copy of it begins at the other end of the files, and the two go on
until they meet: however little time one of them gets, neither waits for the other. Else, as in a service with
its threads and event loop, all of it is done by fresh interpreters that read from git themselves. Whatever goes
wrong there is checked here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from mmap import mmap
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

import msgspec

from reconciler.catalog import Catalog
from reconciler.errors import Location, Problem
from reconciler.sources.batch import parse_batch
from reconciler.sources.cache import pack, pack_all, unpack, unpack_all
from reconciler.sources.check import check
from reconciler.sources.forked import can_fork, forked
from reconciler.sources.revision import Checked
from reconciler.sources.strict.shape import MAX_BYTES
from reconciler.sources.tree import Source

MANY = 2000
"""From here on processes save more than their start costs (0.2 s; a file takes 50 µs)."""

MOST_PROCESSES = 4
"""With 10,000 files each further one saves less than it costs."""

TIMEOUT_S = 120.0
"""A million files; one that takes longer hangs."""

CHUNK_BYTES = 1 << 16

Paths: TypeAlias = Mapping[str, str]
"""A path for each blob to be checked."""


def check_blobs(source: Source, wanted: Paths, catalog: Catalog) -> dict[str, Checked]:
    """Check each blob.

    Raises:
        SourceError: one of them cannot be read.
    """
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    if len(wanted) < MANY or processes == 1:
        return _check_here(source, wanted, catalog)
    if can_fork():
        results = _check_in_copies(source, _shares(wanted, processes // 2), catalog)
    else:
        results = _check_elsewhere(source, _shares(wanted, processes), catalog)
    missed = {blob: path for blob, path in wanted.items() if blob not in results}
    return results | _check_here(source, missed, catalog)


def _shares(wanted: Paths, number: int) -> list[dict[str, str]]:
    return [dict(islice(wanted.items(), n, None, number)) for n in range(number)]


# -- copies of this process


def _check_in_copies(
    source: Source, shares: Sequence[dict[str, str]], catalog: Catalog
) -> dict[str, Checked]:
    """Check each share from both ends at once; one of these ends here, all others in copies of this process."""
    mine, *others = [end for share in shares for end in _ends(share)]
    with contextlib.ExitStack() as stack:
        copies = [stack.enter_context(forked(partial(_give_end, source, end, catalog))) for end in others]
        results = _check_end(source, mine, catalog)
        for collect in filter(None, copies):
            packed = collect(TIMEOUT_S)
            results |= {} if packed is None else unpack_all(packed, dict[str, Checked])
    return results


class _End(NamedTuple):
    """One of two processes at the same files. `order`: as it takes them, the other one in reverse. `done`: how many
    each has done, in memory that both share; `own`: its place there, where nobody else writes.
    """

    order: Paths
    done: memoryview
    own: int

    def is_met(self) -> bool:
        """Note that one more is done, and say whether the other end has done all that are left."""
        self.done[self.own] += 1
        return self.done[0] + self.done[1] >= len(self.order)


def _ends(share: dict[str, str]) -> tuple[_End, _End]:
    done = memoryview(mmap(-1, 16)).cast("Q")
    return _End(share, done, 0), _End(dict(reversed(share.items())), done, 1)


def _check_end(source: Source, end: _End, catalog: Catalog) -> dict[str, Checked]:
    results = {}
    with contextlib.closing(source.blobs(end.order)) as blobs:
        for blob, text in blobs:
            results[blob] = check_one(text, end.order[blob], catalog)
            if end.is_met():
                break
    return results


def _give_end(source: Source, end: _End, catalog: Catalog, hand_over: Callable[[bytes], None]) -> None:
    hand_over(pack_all(_check_end(source, end, catalog)))


# -- other processes


def _check_elsewhere(source: Source, shares: Sequence[Paths], catalog: Catalog) -> dict[str, Checked]:
    """Check each share in a fresh interpreter."""
    results: dict[str, Checked] = {}
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(_check_there(source, share, catalog)) for share in shares]
        for collect in there:
            results |= collect()
    return results


def _check_here(source: Source, wanted: Paths, catalog: Catalog) -> dict[str, Checked]:
    if not wanted:
        return {}
    return {blob: check_one(text, wanted[blob], catalog) for blob, text in source.blobs(wanted)}


def check_one(text: bytes | None, path: str, catalog: Catalog) -> Checked:
    """Check one file; None stands for one that is too large to be read."""
    if text is not None:
        return check(text, path, catalog)
    what = f"more than the {MAX_BYTES:,} bytes that a strategy file may have"
    problem = Problem(Location(path), "", what, "split it into several files")
    return Checked(problems=(problem,), broken=(None,))


@contextlib.contextmanager
def _check_there(
    source: Source, wanted: Paths, catalog: Catalog
) -> Iterator[Callable[[], dict[str, Checked]]]:
    """Start a process for `wanted`; what is yielded waits for its results, of which there may be none."""
    with contextlib.ExitStack() as stack:
        stream = source.batch(wanted)
        if stream is None:
            yield dict
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reconciler-")))
        (folder / "paths").write_bytes(msgspec.msgpack.encode(wanted))
        output = stack.enter_context(stream)
        process = stack.enter_context(_start(folder, output, catalog))
        yield lambda: _collect(process, folder)


@contextlib.contextmanager
def _start(folder: Path, blobs: IO[bytes], catalog: Catalog) -> Iterator[subprocess.Popen[bytes]]:
    root = str(Path(__file__).parents[2])
    above = os.environ.get("PYTHONPATH")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "reconciler.sources.workers", str(folder), catalog.schema_hash],
        stdin=blobs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{above}" if above else root},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _collect(process: subprocess.Popen[bytes], folder: Path) -> dict[str, Checked]:
    try:
        process.wait(TIMEOUT_S)
        return unpack((folder / "results").read_bytes().splitlines())
    except (OSError, subprocess.TimeoutExpired):
        return {}


def _main(folder: Path, schema_hash: str) -> None:
    """Be such a process: blobs come on stdin, as `git cat-file --batch` writes them."""
    import gc

    from reconciler.catalog.loading import load_catalog

    gc.disable()
    catalog = load_catalog()
    if catalog.schema_hash != schema_hash:
        sys.exit("other schemas than those of the process that asked")
    paths = msgspec.msgpack.decode((folder / "paths").read_bytes(), type=dict[str, str])
    blobs = parse_batch(lambda: os.read(0, CHUNK_BYTES), MAX_BYTES)
    results = {blob: check_one(text, paths[blob], catalog) for blob, text in blobs}
    beside = folder / "results.part"
    beside.write_bytes(pack(results))
    beside.rename(folder / "results")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
