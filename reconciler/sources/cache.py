"""
Results of checking, kept in a file by blob id.

Lines of JSON, each with its checksum, so that new results are added without writing the old ones again, and
a line that was cut off or damaged costs that result and no other. The file is a shortcut: whatever is wrong
with it, its results are made again.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from reconciler.files import write_atomically
from reconciler.sources.base import Checked

SLACK = 1000
"""Lines that are of no use any more and may stay before the file is rewritten."""


class _Numbers(dict[str, Decimal]):
    """Decimals by their text: fleets repeat the same few numbers, which then are kept once: 5 MiB of 10,000 strategies
    (benchmarks.memory).
    """

    def __missing__(self, text: str) -> Decimal:
        return self.setdefault(text, Decimal(text))


_encoder = msgspec.json.Encoder(decimal_format="number")


def pack(results: Mapping[str, Checked], seed: int = 0) -> bytes:
    """`results` as lines; their checksums begin with `seed`."""
    return b"".join(_line(_encoder.encode(item), seed) for item in results.items())


def _line(text: bytes, seed: int) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(text, seed), text)


def unpack(lines: Iterable[bytes], seed: int = 0) -> dict[str, Checked]:
    """The results of all lines that are whole and were packed with `seed`."""
    decode = msgspec.json.Decoder(tuple[str, Checked], float_hook=_Numbers().__getitem__).decode
    results = {}
    for line in lines:
        text = line[9:]
        if line[:9] == b"%08x " % zlib.crc32(text, seed):
            with contextlib.suppress(msgspec.MsgspecError):
                blob, checked = decode(text)
                results[blob] = checked
    return results


class ResultCache:
    """The file of results that were made with one version and one set of schemas (`made_with`)."""

    def __init__(self, file: Path, made_with: str) -> None:
        self._file = file
        self._seed = zlib.crc32(made_with.encode())  # so that no line of another version is taken for ours
        self._title = _line(_encoder.encode(made_with), self._seed)
        self._lines = -1

    def read(self) -> dict[str, Checked]:
        """All results in the file; none if it is not there or was made with something else."""
        try:
            title, *lines = self._file.read_bytes().split(b"\n")
        except OSError:
            return {}
        if title + b"\n" != self._title:
            return {}
        if lines[-1:] == [b""]:  # else the end was cut off, and nothing must be added to it
            self._lines = len(lines) - 1
        return unpack(lines, self._seed)

    def write(self, results: Mapping[str, Checked], new: Iterable[str]) -> None:
        """Keep `results`, of which `new` are not in the file yet. A file that cannot be written is left."""
        added = {blob: results[blob] for blob in new}
        with contextlib.suppress(OSError):
            if 0 <= self._lines <= 2 * len(results) + SLACK:
                with self._file.open("ab", buffering=0) as file:
                    file.write(pack(added, self._seed))
                self._lines += len(added)
            else:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._file, self._title + pack(results, self._seed))
                self._lines = len(results)
