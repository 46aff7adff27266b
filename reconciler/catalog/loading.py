"""Loads the catalog from the schemas that come with the package and from a team's own; finds the packaged examples."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from reconciler.catalog.catalog import Catalog
from reconciler.errors import SchemaError

HUMMINGBOT_VERSION = "20260922"
"""The version of Hummingbot whose schemas are used unless the settings name another one."""

SUFFIX = ".schema.json"
ENVELOPE = "strategy.schema.json"
MANIFEST = "manifest.json"
"""Next to a version's schemas: the version, where they come from, their digests, Hummingbot's connectors."""

_PACKAGE = Path(__file__).parent.parent


def _data(name: str) -> Path:
    """A folder of the wheel; of the working tree where the package runs from one."""
    packed = _PACKAGE / "data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def schemas_dir() -> Path:
    """The folder with strategy.schema.json, overlay.yaml, strategies/ and asyncapi.yaml."""
    return _data("schemas")


def examples_dir() -> Path:
    """The folder with the example fleet, and with an example of each strategy type."""
    return _data("examples")


def schema_names() -> list[str]:
    """The schemas that editors need: paths below the schemas' folder."""
    folder = schemas_dir()
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob(f"*{SUFFIX}"))


def schema_text(name: str) -> str:
    """A schema file by its path below the schemas' folder."""
    return (schemas_dir() / name).read_text(encoding="utf-8")


def versions(folder: Path | None = None) -> list[str]:
    """The versions of Hummingbot that there are schemas of, in `folder` or among ours."""
    return sorted(
        file.parent.name for file in ((folder or schemas_dir()) / "strategies").glob(f"*/{MANIFEST}")
    )


@cache
def load_catalog(version: str = HUMMINGBOT_VERSION, folder: Path | None = None) -> Catalog:
    """The catalog of one Hummingbot version, read once: ours, and on top of it what `folder` has of that version.

    Raises:
        SchemaError: there are no schemas of this version.
    """
    files: dict[str, Path] = {}
    connectors: dict[str, list[str]] = {}
    for root in (schemas_dir(), *([folder] if folder else [])):
        below = root / "strategies" / version
        files.update({file.name.removesuffix(SUFFIX): file for file in sorted(below.glob(f"*{SUFFIX}"))})
        if (below / MANIFEST).is_file():
            connectors = json.loads((below / MANIFEST).read_text(encoding="utf-8"))["connectors"]
    if not files:
        known = ", ".join(sorted({*versions(), *(versions(folder) if folder else ())}))
        raise SchemaError(
            f"there are no schemas of Hummingbot {version}",
            f"known: {known}; reconciler schema generate makes those of another version",
        )
    texts = {name: file.read_bytes() for name, file in files.items()}
    return Catalog.from_schemas(schema_text(ENVELOPE).encode(), texts, connectors)
