"""An environment that Hummingbot was installed into: where it is, what it says of itself, what is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from reconciler.catalog.packaged import HUMMINGBOT_VERSION

MARKER = "reconciler.json"
FORMAT = "reconciler.hummingbot/1"


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment of ours says of itself; written last. `digest`: over all that is installed in it."""

    version: str
    python: str
    interpreter: str
    digest: str
    format: str = FORMAT


def default_folder(state: Path, version: str = HUMMINGBOT_VERSION) -> Path:
    """Where an agent's own environment stands: one for each version, so that bots keep theirs through an upgrade."""
    return state / "hummingbot" / version


def hummingbot_python(state: Path, version: str = HUMMINGBOT_VERSION) -> Path | None:
    """The interpreter that `reconciler agent install` made below an agent's state folder; None if there is none."""
    folder = default_folder(state, version)
    found = read_marker(folder)
    python = interpreter_in(folder)
    return python if found is not None and found.version == version and python.exists() else None


def interpreter_in(folder: Path) -> Path:
    """The interpreter of an environment, as an absolute path that does not follow links: where it lies says whose it is."""
    return folder.absolute() / "bin" / "python"


def read_marker(folder: Path) -> Marker | None:
    """What an environment says of itself; None if it says nothing that we know."""
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
