"""Finds uv and runs it with a time limit; logs its output, and raises its failure with the cause."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from reconciler.agent.install.diagnosis import diagnose
from reconciler.agent.install.programs import ProgramTimeout, run
from reconciler.errors import ReconcilerError

Progress = Callable[[str], None]
"""Is called with what is being done now."""

_MISLEADING = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
"""Variables that lead to other packages than those of the environment that is made."""


class InstallError(ReconcilerError):
    """Hummingbot cannot be installed here as things are."""


def find_uv() -> tuple[str, ...]:
    """The command that runs uv: the one in this environment, else the one on PATH.

    Raises:
        InstallError: there is none.
    """
    package = importlib.util.find_spec("uv")
    if package is not None and package.origin is not None:  # a folder that happens to be called uv has none
        return (sys.executable, "-m", "uv")
    found = shutil.which("uv")
    if found is None:
        raise InstallError(
            "uv is not installed, and pip cannot resolve what Hummingbot requires",
            fix="pip install 'hummingbot-reconciler[hummingbot]'  or  pip install uv",
        )
    return (found,)


class Uv(msgspec.Struct, frozen=True, kw_only=True):
    """uv, ready to be run. `log`: a file that gets all of its output. `cache` None: its own. `limit_s`: for one run."""

    command: tuple[str, ...]
    log: Path
    cache: Path | None
    limit_s: float
    progress: Progress

    async def run(self, *arguments: str) -> None:
        """Run it once.

        Raises:
            InstallError: it failed, with the cause from its output, or took too long.
        """
        said: list[str] = []
        with self.log.open("a", encoding="utf-8", buffering=1) as log:

            def on_line(line: str) -> None:
                log.write(f"{line}\n")
                said.append(line)
                if line:
                    self.progress(line.strip())

            try:
                code = await run(
                    (*self.command, *arguments),
                    env=environment(os.environ, self.cache),
                    cwd=self.log.parent,
                    limit_s=self.limit_s,
                    on_line=on_line,
                )
            except ProgramTimeout as error:
                raise InstallError(
                    f"uv did not end within {self.limit_s:g} s; its output: {self.log}",
                    fix="try again: what it has is kept; --timeout gives it longer",
                ) from error
        if code:
            found = diagnose(said)
            raise InstallError(f"uv failed: {found.what}", fix=found.fix or f"see {self.log}")


def environment(ours: Mapping[str, str], cache: Path | None) -> dict[str, str]:
    """Our variables without misleading ones; uv downloads no interpreter with them."""
    kept = {name: value for name, value in ours.items() if name not in _MISLEADING}
    own_cache = {"UV_CACHE_DIR": str(cache.absolute())} if cache else {}
    return {**kept, **own_cache, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
