"""The output of `git cat-file --batch`, taken apart. Pure: chunks of bytes in, blobs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconciler.errors import SourceError


def parse_batch(read: Callable[[], bytes], max_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield (id, contents) of each blob; None for one over `max_bytes`, which is passed by without being kept.

    `read` gives the next chunk, empty at the end.

    Raises:
        SourceError: an object is missing, or the output ends within one.
    """
    buffer = _Buffer(read)
    while header := buffer.line():
        blob, kind, *size = header.split()
        if kind != "blob" or not size:
            raise SourceError(f"object {blob[:12]} is {kind}, not a file", fix="repair it: git fsck")
        length = int(size[0])
        if length > max_bytes:
            buffer.skip(length + 1)
            yield blob, None
        else:
            yield blob, buffer.take(length + 1)[:-1]


class _Buffer:
    """Bytes that were read and not yet taken."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._chunk = b""
        self._at = 0

    def line(self) -> str:
        """The next line without its end; empty when there is nothing more."""
        while (end := self._chunk.find(b"\n", self._at)) < 0:
            if not self._more():
                return ""
        line = self._chunk[self._at : end]
        self._at = end + 1
        return line.decode()

    def take(self, length: int) -> bytes:
        while len(self._chunk) - self._at < length:
            self._must_have_more()
        self._at += length
        return self._chunk[self._at - length : self._at]

    def skip(self, length: int) -> None:
        while (there := len(self._chunk) - self._at) < length:
            length -= there
            self._at = len(self._chunk)
            self._must_have_more()
        self._at += length

    def _more(self) -> bool:
        chunk = self._read()
        self._chunk = self._chunk[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def _must_have_more(self) -> None:
        if not self._more():
            raise SourceError("git ended in the middle of a file", fix="repair the repository: git fsck")
