"""uv at work: found, run with a time limit, its words kept and understood."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from reconciler.agent.install.diagnosis import diagnose
from reconciler.agent.install.programs import TookTooLong, run
from reconciler.errors import ReconcilerError

Tell = Callable[[str], None]
"""Hears what is being done now."""


class InstallError(ReconcilerError):
    """Hummingbot cannot be installed here as things are."""


def find_uv() -> tuple[str, ...]:
    """The command that runs uv: the one beside us, else the one on PATH.

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
    """uv, ready to be run. `log`: a file that gets all it says. `cache` None: its own. `limit_s`: for one run."""

    command: tuple[str, ...]
    log: Path
    cache: Path | None
    limit_s: float
    tell: Tell

    async def run(self, *arguments: str) -> None:
        """Run it once.

        Raises:
            InstallError: it failed; the cause is from its words.
        """
        said: list[str] = []
        with self.log.open("a", encoding="utf-8", buffering=1) as log:

            def hear(line: str) -> None:
                log.write(f"{line}\n")
                said.append(line)
                if line:
                    self.tell(line.strip())

            code = await self._run_to_its_end(arguments, hear)
        if code:
            found = diagnose(said)
            raise InstallError(f"uv failed: {found.what}", fix=found.fix or f"see {self.log}")

    async def _run_to_its_end(self, arguments: tuple[str, ...], hear: Tell) -> int:
        command = (*self.command, *arguments)
        try:
            return await run(
                command,
                env=environment(os.environ, self.cache),
                cwd=self.log.parent,
                limit_s=self.limit_s,
                hear=hear,
            )
        except TookTooLong as error:
            raise InstallError(
                f"uv did not end within {self.limit_s:g} s; what it said: {self.log}",
                fix="try again: what it has is kept; --timeout gives it longer",
            ) from error


def environment(ours: Mapping[str, str], cache: Path | None) -> dict[str, str]:
    """Our variables without those that lead to other packages. No interpreter is downloaded behind one's back."""
    kept = {name: value for name, value in ours.items() if name not in _MISLEADING}
    own_cache = {"UV_CACHE_DIR": str(cache.absolute())} if cache else {}
    return {**kept, **own_cache, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


_MISLEADING = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
