"""
The output of uv and a compiler → what is wrong and how to repair it.

Rule 1: pure: the lines are given, nothing is run.
Rule 2: a cause on this machine comes before the errors that follow from it: the first row of the table that matches wins.
Rule 3: an error that no row matches is reported in the program's own words, without a fix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_UNHELPFUL = re.compile(
    r"hint:|warning:|Using |Resolved |Creating |Activate |Building |Downloading |Prepared |$"
)
"""Lines of uv that report no error."""

_MAX_CAUSE = 300
"""Characters of the cause in a message; the log has all of it."""


class Diagnosis(msgspec.Struct, frozen=True):
    """`what`: the cause, in the program's own words. `fix`: what a person can do about it; empty if that is not known."""

    what: str
    fix: str


_FIXES: tuple[tuple[str, str], ...] = (
    (
        r"No space left on device|Disk quota exceeded|File too large",
        "free some disk space, or name another folder with --into and --wheel-cache",
    ),
    (
        r"Python\.h: No such file",
        "install the interpreter's headers (Debian: apt-get install python3-dev)",
    ),
    (
        r"No such file or directory: '[^']*(?:gcc|cc|g\+\+|c\+\+|clang)[^']*'|command '[^']*' failed: No such file",
        "install a C and C++ compiler (Debian: apt-get install build-essential)",
    ),
    (r"fatal error: .*: No such file", "install the library that has this header, then try again"),
    (
        r"there is no version of hummingbot|hummingbot was not found",
        "name a version that there is with --version; hummingbot-VERSION stands on PyPI",
    ),
    (
        r"No solution found|requires-python|Requires-Python",
        "name an interpreter that this version supports with --python, such as python3.11",
    ),
    (
        r"certificate|UnknownIssuer",
        "let uv trust your authority: SSL_CERT_FILE=/path/to/ca.pem",
    ),
    (
        r"401 Unauthorized|403 Forbidden",
        "give uv what the index asks for (UV_DEFAULT_INDEX, or a netrc file)",
    ),
    (
        r"Failed to fetch|error sending request|dns error|Connection refused|timed out|Could not connect",
        "check that the index can be reached from here (UV_DEFAULT_INDEX, HTTPS_PROXY), then try again",
    ),
    (r"offline|network was disabled", "unset UV_OFFLINE, or fill --wheel-cache on a machine that is online"),
)
"""Pattern → fix."""


def diagnose(said: Sequence[str]) -> Diagnosis:
    """Find in a program's output what went wrong."""
    text = "\n".join(said)
    for pattern, fix in _FIXES:
        found = re.search(pattern, text)
        if found is not None:
            start = text.rfind("\n", 0, found.start()) + 1
            end = text.find("\n", found.start())
            return Diagnosis(_shortened(text[start : end if end >= 0 else len(text)]), fix)
    errors = [line.strip() for line in said if not _UNHELPFUL.match(line.strip())]
    return Diagnosis(_shortened(errors[-1]) if errors else "it gave no reason", "")


def _shortened(line: str) -> str:
    line = re.sub(r"^(?:error|cause):\s*", "", line.strip())
    return line if len(line) <= _MAX_CAUSE else f"{line[:_MAX_CAUSE]} …"
