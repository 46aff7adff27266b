"""The schemas and examples that travel with the package. The only file of the catalog that reads files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reconciler.catalog.catalog import Catalog

_PACKAGE = Path(__file__).parent.parent
_SUFFIX = ".schema.json"


def _data(name: str) -> Path:
    """A folder of the wheel; of the working tree where the package runs from one."""
    packed = _PACKAGE / "data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def schemas_dir() -> Path:
    """The folder with strategy.schema.json, strategies/ and asyncapi.yaml."""
    return _data("schemas")


def examples_dir() -> Path:
    """The folder with the example fleet."""
    return _data("examples")


def schema_names() -> list[str]:
    """The schemas that editors need: paths below the schemas' folder."""
    folder = schemas_dir()
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob(f"*{_SUFFIX}"))


def schema_text(name: str) -> str:
    """A schema file by its path below the schemas' folder."""
    return (schemas_dir() / name).read_text(encoding="utf-8")


@cache
def load_catalog() -> Catalog:
    """The catalog of the schemas that we ship; read once."""
    files = sorted((schemas_dir() / "strategies").glob(f"*{_SUFFIX}"))
    strategies = {file.name.removesuffix(_SUFFIX): file.read_bytes() for file in files}
    return Catalog.from_schemas(schema_text("strategy.schema.json").encode(), strategies)
