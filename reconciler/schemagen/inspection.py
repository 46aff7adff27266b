"""Runs the programs of `guest` in Hummingbot's interpreter, in a temporary folder, and reads the facts that they print."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from reconciler.errors import SchemaError

TIMEOUT_S = 180.0
"""Importing Hummingbot takes 3 to 10 s with a cold disk; a machine that is busy may take several times that."""

_GUEST = Path(__file__).parent / "guest"


class Inspected(msgspec.Struct, frozen=True):
    """The facts that the inspections printed, one object for each strategy type as its program describes it."""

    version: str
    legacy: Sequence[dict[str, Any]]
    models: Sequence[dict[str, Any]]
    controllers: Sequence[dict[str, Any]]
    connectors: dict[str, list[str]]


def inspect(python: Path, controllers: Path | None = None, *, timeout_s: float = TIMEOUT_S) -> Inspected:
    """Ask the Hummingbot that `python` runs for its strategies, and for those in the folder `controllers`.

    Raises:
        SchemaError: the interpreter cannot be started, has no Hummingbot, fails, or takes too long.
    """
    if controllers is not None and not controllers.is_dir():
        raise SchemaError(
            f"{controllers} is not a folder", "name the controllers folder of a Hummingbot checkout"
        )
    with tempfile.TemporaryDirectory(prefix="reconciler-schemas-") as folder:
        legacy = _run(python, "inside_legacy.py", [], Path(folder), timeout_s)
        models = _run(python, "inside_models.py", [], Path(folder), timeout_s)
        found: dict[str, Any] = {"strategies": []}
        if controllers is not None:
            found = _run(python, "inside_models.py", [str(controllers.resolve())], Path(folder), timeout_s)
    return Inspected(
        legacy["version"],
        legacy["strategies"],
        models["strategies"],
        found["strategies"],
        legacy["connectors"],
    )


def _run(python: Path, program: str, arguments: list[str], folder: Path, timeout_s: float) -> dict[str, Any]:
    command = [str(python), str(_GUEST / program), *arguments]
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SchemaError(
            f"{python} did not finish {program} within {timeout_s:.0f} s",
            "try again when the machine is idle",
        ) from error
    except OSError as error:
        raise SchemaError(
            f"{python} cannot be started: {error.strerror}", "name Hummingbot's interpreter"
        ) from error
    if ended.returncode != 0:
        lines = [line for line in ended.stderr.decode(errors="replace").splitlines() if line.strip()]
        said = lines[-1] if lines else "it printed nothing"
        fix = "run with the same interpreter: python -c 'import hummingbot'"
        if b"No module named 'hummingbot'" in ended.stderr:
            fix = "name an interpreter that has Hummingbot (reconciler agent install makes one)"
        raise SchemaError(f"{python} could not inspect Hummingbot: {said}", fix)
    try:
        facts: dict[str, Any] = msgspec.json.decode(ended.stdout)
    except msgspec.DecodeError as error:
        raise SchemaError(
            f"{program} printed something that is not JSON", f"run it by hand: {' '.join(command)}"
        ) from error
    return facts
