"""The output of uv becomes a cause and a fix. Its words are those of uv 0.13 and gcc 12."""

from __future__ import annotations

import pytest

from reconciler.agent.install.diagnosis import diagnose

BUILD = """\
Using Python 3.11.7 environment at: v
Resolved 1 package in 1ms
   Building pkgx @ file:///tmp/src
error: Failed to build `pkgx @ file:///tmp/src`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)
         [stdout]
         running build_ext
         gcc -Wall -fPIC -I/usr/include/python3.11 -c a.c -o a.o
         [stderr]
         {error}

hint: This usually indicates a problem with the package or the build environment
"""

FETCH = """\
Using Python 3.11.7 environment at: v
error: Failed to fetch: http://127.0.0.1:9/simple/hummingbot/
  cause: error sending request for url (http://127.0.0.1:9/simple/hummingbot/)
  cause: {cause}
"""

SOLUTION = """\
error: No solution found when resolving dependencies
  cause: Because {why}, we can conclude that your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("said", "what", "fix"),
    [
        (
            BUILD.format(error="a.c:1:10: fatal error: Python.h: No such file or directory"),
            "Python.h",
            "python3-dev",
        ),
        (BUILD.format(error="a.c:2:10: fatal error: ta.h: No such file or directory"), "ta.h", "library"),
        (BUILD.format(error="error: [Errno 2] No such file or directory: 'gcc'"), "'gcc'", "build-essential"),
        (
            BUILD.format(error="error: command '/usr/bin/x86_64-linux-gnu-g++' failed: No such file"),
            "g++",
            "build-",
        ),
        (
            BUILD.format(error="fatal error: error writing to a.s: No space left on device"),
            "No space",
            "disk space",
        ),
        (FETCH.format(cause="Connection refused (os error 111)"), "127.0.0.1:9", "UV_DEFAULT_INDEX"),
        (FETCH.format(cause="dns error: failed to lookup address"), "127.0.0.1:9", "HTTPS_PROXY"),
        (FETCH.format(cause="invalid peer certificate: UnknownIssuer"), "UnknownIssuer", "SSL_CERT_FILE"),
        (FETCH.format(cause="HTTP status client error (401 Unauthorized)"), "401", "UV_DEFAULT_INDEX"),
        (SOLUTION.format(why="there is no version of hummingbot==9"), "no version", "--version"),
        (SOLUTION.format(why="the current Python version does not satisfy"), "No solution", "--python"),
        ("error: Failed to copy file: File too large (os error 27)", "File too large", "--into"),
        ("error: Network connectivity is disabled, and offline", "offline", "UV_OFFLINE"),
    ],
)
def test_a_failure_is_named_with_its_fix(said: str, what: str, fix: str) -> None:
    found = diagnose(said.splitlines())

    assert what in found.what
    assert fix in found.fix
    assert "\n" not in found.what


def test_what_nobody_knows_is_reported_in_its_own_last_words() -> None:
    found = diagnose(["Using Python", "error: The moon is full", "", "hint: wait"])

    assert found.what == "The moon is full"
    assert found.fix == ""


def test_silence_is_called_silence() -> None:
    assert diagnose([]).what == "it gave no reason"
    assert diagnose(["Using Python 3.11.7", ""]).what == "it gave no reason"


def test_a_compilers_long_line_is_cut() -> None:
    assert len(diagnose(["error: " + "x" * 5000]).what) < 400
