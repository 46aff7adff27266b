"""
A revision read ahead: by a copy of this process, while this one gets ready, connects and hears the bots.

For a one-shot command on a machine with two cores that halves the time of a cold plan; and what reads files does
not keep the interpreter busy while the bots report, since a broker drops what its reader leaves waiting.
Imports little, so that the copy is made before all else is imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from reconciler.sources.forked import Collect, forked

if TYPE_CHECKING:
    from reconciler.settings.model import Settings
    from reconciler.sources.revision import Revision

TIMEOUT_S = 2_000.0
"""More than the first fetch of a large repository may take (clone.py), which has a limit of its own."""


@contextlib.contextmanager
def reading_ahead(settings: Settings) -> Iterator[Ahead]:
    """Begin to load the newest revision in a copy of this process, if one can be made."""

    def work(hand_over: Callable[[bytes], None]) -> None:
        from reconciler.sources.handover import give
        from reconciler.sources.opening import catalog_of, open_loader

        give(open_loader(settings, catalog_of(settings)), hand_over)

    with forked(work) as collect:
        yield Ahead(collect)


class Ahead:
    """The revision that is being read, or is still to be read if no copy could be made."""

    def __init__(self, collect: Collect | None) -> None:
        self._collect = collect

    def revision(self, load: Callable[[], Revision]) -> Revision:
        """Wait for it; where there is none, because nothing was begun or something went wrong, `load` it here.

        Raises:
            SourceError: there, or here.
        """
        from reconciler.sources.handover import take

        result = self._collect(TIMEOUT_S) if self._collect is not None else None
        return load() if result is None else take(result)
