"""Where a text ends, so that no place is told beyond it. Pure."""

from __future__ import annotations

import re

LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML 1.1 parsers count as lines; the same as marks do."""

_BREAKS = "\n\r\x85\u2028\u2029"


class End:
    """The end of the last line that is not empty. Parsers put the end of a file beyond it, even where no line is."""

    def __init__(self, text: bytes) -> None:
        filled = text.decode(errors="replace").rstrip(_BREAKS)
        self._line, begin = 1, 0
        for found in LINE_BREAK.finditer(filled):
            self._line, begin = self._line + 1, found.end()
        self._column = len(filled) - begin + 1

    def within(self, line: int, column: int) -> tuple[int, int]:
        """A line and column from 1; the end instead of what is beyond the last line."""
        return (line, column) if line <= self._line else (self._line, self._column)
