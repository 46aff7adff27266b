"""The one error of reading a setting's text. Pure."""

from __future__ import annotations


class BadValue(ValueError):
    """A value that its key cannot have; `fix` says what it can."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix
