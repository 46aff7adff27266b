"""A revision on its way from one process to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from reconciler.errors import SourceError
from reconciler.sources.cache import pack_all, unpack_all
from reconciler.sources.forked import Result
from reconciler.sources.revision import Files, Revision

if TYPE_CHECKING:
    from reconciler.sources.load import Loader


class _Read(msgspec.Struct, gc=False):
    """What is handed over. `error`: why there is no revision, and its fix."""

    commit: str = ""
    ref: str = ""
    files: Files = ()
    error: tuple[str, str] | None = None


def give(loader: Loader, hand_over: Callable[[bytes], None]) -> None:
    """Load the newest revision and hand it over, then keep for the next command what was checked."""
    try:
        revision = loader.load(keep=False)
    except SourceError as error:
        hand_over(pack_all(_Read(error=(str(error), error.fix))))
    else:
        hand_over(pack_all(_Read(revision.commit, revision.ref, revision.files)))
        loader.keep()


def take(result: Result) -> Revision:
    """The revision that was given.

    Raises:
        SourceError: there is none, for the reason that was given instead.
    """
    read = unpack_all(result, _Read)
    if read.error is not None:
        text, fix = read.error
        raise SourceError(text, fix=fix)
    return Revision(read.commit, read.ref, read.files)
