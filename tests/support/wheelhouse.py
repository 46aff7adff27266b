"""A folder of packages that uv installs from instead of PyPI: small ones that are called hummingbot."""

from __future__ import annotations

import importlib.util
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

VERSION = "20260922"

_BACKEND = """\
import os, pathlib, shutil, time
HERE = pathlib.Path(__file__).parent
def build_wheel(folder, config_settings=None, metadata_directory=None):
    pathlib.Path({busy!r}).write_text(str(os.getpid()))
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.02)
    shutil.copy(HERE / {wheel!r}, folder)
    return {wheel!r}
"""

_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "hummingbot"
version = "{version}"
dependencies = []
"""


def needs_uv() -> None:
    """Skip the test where uv is not installed."""
    if importlib.util.find_spec("uv") is None and shutil.which("uv") is None:
        pytest.skip("uv is not installed (pip install uv)")


class Wheelhouse:
    """`environment`: variables with which uv knows nothing but this folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.busy = folder / "busy"
        self._go = folder / "go"

    @property
    def environment(self) -> dict[str, str]:
        cache = str(self.folder.with_name("uv-cache"))
        return {
            "UV_FIND_LINKS": str(self.folder),
            "UV_NO_INDEX": "1",
            "UV_OFFLINE": "1",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": cache,
        }

    def add(self, version: str = VERSION, *, module: str = "", requires: str = "") -> None:
        """Put a wheel there; `module`: what runs when it is imported."""
        (self.folder / _wheel(version)).write_bytes(_wheel_bytes(version, module, requires))

    def add_that_waits(self, version: str = VERSION) -> None:
        """Put a source distribution there whose build goes on only after `go`; `busy` has its process meanwhile."""
        name = _wheel(version)
        backend = _BACKEND.format(busy=str(self.busy), go=str(self._go), wheel=name)
        files = {
            "pyproject.toml": _PROJECT.format(version=version).encode(),
            "PKG-INFO": _metadata(version, "").encode(),
            "backend.py": backend.encode(),
            name: _wheel_bytes(version, "", ""),
        }
        with tarfile.open(self.folder / f"hummingbot-{version}.tar.gz", "w:gz") as archive:
            for path, data in files.items():
                entry = tarfile.TarInfo(f"hummingbot-{version}/{path}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))

    def go(self) -> None:
        """Let builds go on."""
        self._go.touch()


def _wheel(version: str) -> str:
    return f"hummingbot-{version}-py3-none-any.whl"


def _wheel_bytes(version: str, module: str, requires: str) -> bytes:
    info = f"hummingbot-{version}.dist-info"
    files = {
        "hummingbot/__init__.py": "",
        "hummingbot/client/__init__.py": "",
        "hummingbot/client/hummingbot_application.py": module,
        f"{info}/METADATA": _metadata(version, requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return written.getvalue()


def _metadata(version: str, requires: str) -> str:
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    return f"Metadata-Version: 2.2\nName: hummingbot\nVersion: {version}\n{needs}"
