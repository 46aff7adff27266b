"""
What both inspections share. Runs inside Hummingbot's interpreter, imported from the folder that they are started from.

Only the standard library and hummingbot may be imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_A_WORD = "zz zz"
"""A text that no validator takes unless it takes every text."""


def words_in(constants: Any) -> Iterator[str]:
    """The texts among the constants of a function's code (`co_consts`)."""
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from words_in(constant)


def take_this_folder_as_root() -> None:
    """Hummingbot looks for its own files, and writes new ones, below its root: not where it is installed."""
    import hummingbot

    root = Path.cwd()
    (root / "conf").mkdir(exist_ok=True)
    if not (root / "hummingbot").exists():
        (root / "hummingbot").symlink_to(Path(hummingbot.__file__).parent)
    hummingbot.root_path = lambda: root
    hummingbot.set_prefix_path(str(root))
