"""An interpreter asked, as a child process, which Hummingbot it has and whether that can be imported."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import msgspec

from reconciler.agent.children import TookTooLong, run

PROBE_S = 120.0
"""Importing takes 4 s on an idle machine; one that compiles Python files for the first time needs 30."""

_MARK = "probe: "

_PROGRAM = f"""\
import json, platform, sys
from importlib import metadata
found = {{"python": platform.python_version(), "version": None, "error": None}}
try:
    found["version"] = metadata.version("hummingbot")
    import hummingbot.client.hummingbot_application
except metadata.PackageNotFoundError:
    pass
except BaseException as error:
    found["error"] = f"{{type(error).__name__}}: {{error}}"
print({_MARK!r} + json.dumps(found), flush=True)
"""
"""The module that all of Hummingbot hangs on, since a package that is there may still lack a library."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter said. `python` empty: it is none. `version` None: it has no Hummingbot.

    `error`: why Hummingbot cannot be imported, or why the interpreter did not answer; empty if all is well.
    """

    python: str = ""
    version: str | None = None
    error: str = ""


async def probe(python: Path, limit_s: float = PROBE_S) -> Probe:
    """Ask an interpreter; that it does not answer is an answer too."""
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="reconciler-probe-") as folder:
        command = (str(python), "-I", "-c", _PROGRAM)
        try:
            code = await run(
                command, env=_environment(folder), cwd=Path(folder), limit_s=limit_s, hear=said.append
            )
        except (TookTooLong, OSError) as error:
            return Probe(error=str(error))
    answers = [line.removeprefix(_MARK) for line in said if line.startswith(_MARK)]
    if not answers:
        return Probe(error=f"it ended with {code}: {said[-1] if said else 'it said nothing'}")
    return _read(answers[-1])


def _environment(home: str) -> dict[str, str]:
    """Ours; what the import writes to a home folder goes to one that is thrown away."""
    return {**os.environ, "HOME": home}


def _read(answer: str) -> Probe:
    found = json.loads(answer)
    return Probe(python=found["python"], version=found["version"], error=found["error"] or "")
