"""An environment that Hummingbot was installed into: its folder, its marker, the hash of its packages, and its probe."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import msgspec

from reconciler.agent.install.programs import ProgramTimeout, run
from reconciler.catalog.loading import HUMMINGBOT_VERSION

MARKER = "reconciler.json"
FORMAT = "reconciler.hummingbot/1"


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """The file that marks an environment as ours; written last. `digest`: over all that is installed in it."""

    version: str
    python: str
    interpreter: str
    digest: str
    format: str = FORMAT


def default_folder(state: Path, version: str = HUMMINGBOT_VERSION) -> Path:
    """The folder of an agent's own environment: one for each version, so that bots keep theirs through an upgrade."""
    return state / "hummingbot" / version


def hummingbot_python(state: Path, version: str = HUMMINGBOT_VERSION) -> Path | None:
    """The interpreter that `reconciler agent install` made below an agent's state folder; None if there is none."""
    folder = default_folder(state, version)
    found = read_marker(folder)
    python = interpreter_in(folder)
    return python if found is not None and found.version == version and python.exists() else None


def interpreter_in(folder: Path) -> Path:
    """The interpreter of an environment, as an absolute path that follows no links: Python finds its packages by it."""
    return folder.absolute() / "bin" / "python"


def read_marker(folder: Path) -> Marker | None:
    """The marker of an environment; None if it has none of a known format."""
    try:
        found = msgspec.json.decode((folder / MARKER).read_bytes(), type=Marker)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.format == FORMAT else None


def digest(folder: Path) -> str:
    """A hash over what is installed in an environment: each package's own list of its files and their hashes."""
    records = sorted(folder.glob("lib/python*/site-packages/*.dist-info/RECORD"))
    total = hashlib.sha256()
    for record in records:
        total.update(f"{record.parent.name}\n".encode() + hashlib.sha256(record.read_bytes()).digest())
    return f"sha256:{total.hexdigest()}"


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
"""Imports the module that needs all of Hummingbot, since an installed package may still lack a library."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter reported. `python`: its version; empty: it is none. `version` None: it has no Hummingbot.

    `error`: why Hummingbot cannot be imported, or why the interpreter did not answer; empty if all is well.
    """

    python: str = ""
    version: str | None = None
    error: str = ""


async def probe(python: Path, limit_s: float = PROBE_S) -> Probe:
    """Import Hummingbot in an interpreter and report what it is; that it does not answer is part of the result."""
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="reconciler-probe-") as folder:
        command = (str(python), "-I", "-c", _PROGRAM)
        env = {**os.environ, "HOME": folder}  # what the import writes to its home is deleted with the folder
        try:
            code = await run(command, env=env, cwd=Path(folder), limit_s=limit_s, on_line=said.append)
        except (ProgramTimeout, OSError) as error:
            return Probe(error=str(error))
    answers = [line.removeprefix(_MARK) for line in said if line.startswith(_MARK)]
    if not answers:
        return Probe(error=f"it ended with {code}: {said[-1] if said else 'it printed nothing'}")
    found = json.loads(answers[-1])
    return Probe(python=found["python"], version=found["version"], error=found["error"] or "")
