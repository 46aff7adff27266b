"""The stream of `git cat-file --batch` is taken apart whatever the chunks that it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SourceError
from reconciler.sources.git import parse_batch


def stream(blobs: list[bytes]) -> bytes:
    return b"".join(b"%040x blob %d\n%b\n" % (number, len(text), text) for number, text in enumerate(blobs))


def parsed(content: bytes, chunk: int = 7, max_bytes: int = 100) -> list[bytes | None]:
    chunks = iter([content[at : at + chunk] for at in range(0, len(content), chunk)])
    return [text for _, text in parse_batch(lambda: next(chunks, b""), max_bytes)]


@given(st.lists(st.binary(max_size=100)), st.integers(1, 300))
def test_blobs_come_out_as_they_went_in(blobs: list[bytes], chunk: int) -> None:
    assert parsed(stream(blobs), chunk) == blobs


@given(st.integers(1, 300))
def test_a_large_blob_is_passed_by(chunk: int) -> None:
    assert parsed(stream([b"a", b"x" * 101, b"b"]), chunk) == [b"a", None, b"b"]


def test_ids_stand_next_to_their_contents() -> None:
    content = iter([stream([b"a"])])

    assert list(parse_batch(lambda: next(content, b""), 100)) == [(f"{0:040x}", b"a")]


def test_a_missing_object_is_an_error() -> None:
    with pytest.raises(SourceError, match="missing"):
        parsed(b"deadbeef missing\n")


def test_what_is_no_file_is_an_error() -> None:
    with pytest.raises(SourceError, match="tree"):
        parsed(b"deadbeef tree 3\nabc\n")


@pytest.mark.parametrize("cut", [45, 50, 60])
def test_an_end_within_a_file_is_an_error(cut: int) -> None:
    with pytest.raises(SourceError):
        parsed(stream([b"x" * 40])[: cut + 8])
