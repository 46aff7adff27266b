"""The real Hummingbot, asked what it makes of values and files. Its interpreter is named by an environment variable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

PYTHON_VARIABLE = "RECONCILER_HUMMINGBOT_PYTHON"
CONTROLLERS_VARIABLE = "RECONCILER_HUMMINGBOT_CONTROLLERS"

NO_HUMMINGBOT = (
    f"no real Hummingbot: {PYTHON_VARIABLE} does not name its interpreter (scripts/setup hummingbot)"
)
NO_CONTROLLERS = (
    f"no controllers: {CONTROLLERS_VARIABLE} does not name a Hummingbot checkout's folder of them"
)


def python() -> Path | None:
    """Hummingbot's interpreter, if there is one."""
    named = os.environ.get(PYTHON_VARIABLE)
    return Path(named) if named else None


def controllers() -> Path | None:
    """A folder of controllers, if there is one."""
    named = os.environ.get(CONTROLLERS_VARIABLE)
    return Path(named).resolve() if named else None


REFUSED = {"refused": True}


class Oracle:
    """One process inside Hummingbot's interpreter; answers one question at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def results(self, kind: str, data: dict[str, Any], field: str, values: list[Any]) -> list[Any]:
        """What `field` holds after each value; `{"refused": True}` where it is none of Hummingbot's."""
        asked = {"do": "try", "type": kind, "data": plain(data), "field": field, "values": plain(values)}
        answer: list[Any] = self._ask(asked)
        return answer

    def load(self, kind: str, text: str) -> dict[str, Any]:
        """`values` by field, `said`: warnings and errors of the loader, `kept`: whether it left the file as it was."""
        answer: dict[str, Any] = self._ask({"do": "load", "type": kind, "text": text})
        return answer

    def _ask(self, asked: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def plain(value: Any) -> Any:
    """Values for the wire: numbers keep their digits."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal):
        whole = value == int(value)  # written so by the mapping, too
        return {"number": str(int(value)) if whole else f"{value:f}"}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value]


@contextmanager
def open_oracle() -> Iterator[Oracle]:
    """Start it, in a folder of its own."""
    folder = controllers()
    command = [str(python() or sys.executable), str(Path(__file__).parent / "inside.py")]
    with tempfile.TemporaryDirectory() as root, (Path(root) / "said").open("w") as said:
        process = subprocess.Popen(
            command + ([str(folder)] if folder else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            cwd=root,
        )
        try:
            yield Oracle(process)
        finally:
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                stream.close()
            process.terminate()
            process.wait(30)
