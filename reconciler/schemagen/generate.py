"""Hummingbot → the files below schemas/: one schema for each strategy type, their manifest, and the envelope's list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reconciler.catalog.layout import CONTROLLER, LEGACY, MODEL
from reconciler.catalog.packaged import ENVELOPE, MANIFEST, SUFFIX, schema_text
from reconciler.errors import SchemaError
from reconciler.schemagen.inspection import Inspected, inspect
from reconciler.schemagen.overlay import Overlay
from reconciler.schemagen.writing import Connectors, text_of, write_schema


def generate(  # noqa: PLR0913  (what to read, and where to write)
    python: Path,
    into: Path,
    *,
    controllers: Path | None = None,
    source: str = "",
    overlay: Path,
    every_rule: bool = False,
) -> dict[Path, str]:
    """Work out every file: path → text. Nothing is written; `write` does that.

    `into`: the schemas folder, with its envelope; schemas of other controllers that are in it stay. `controllers`: a
    folder of them. `source`: where that folder comes from, for the manifest. `every_rule`: each rule of the overlay
    has to meet a field, which it can only if all controllers are there.

    Raises:
        SchemaError: Hummingbot cannot be read, the overlay lacks a rule, or has one too many.
    """
    found = inspect(python, controllers)
    folder = into / "strategies" / found.version
    rules = Overlay(yaml.safe_load(overlay.read_text(encoding="utf-8")))
    names = Connectors(found.connectors["spot"], found.connectors["perpetual"])
    texts = {name: text_of(write_schema(kind, facts, rules, names)) for kind, name, facts in _types(found)}
    if every_rule and (unmet := rules.unmet()):
        raise SchemaError(f"rules of the overlay meet no field: {', '.join(unmet)}", f"mend {overlay}")
    kept = _controllers_in(folder)
    manifest = {
        "hummingbot": found.version,
        "source": {
            "strategies": f"the package hummingbot {found.version}",
            "controllers": source or _kept_source(folder),
        },
        "connectors": {"spot": names.spot, "perpetual": names.perpetual},
        "schemas": {name: _digest(text) for name, text in sorted({**kept, **texts}.items())},
    }
    files = {folder / f"{name}{SUFFIX}": text for name, text in texts.items()}
    files[folder / MANIFEST] = json.dumps(manifest, indent=2) + "\n"
    files[into / ENVELOPE] = _envelope(into, folder.name, manifest)
    return files


def write(files: Mapping[Path, str]) -> list[Path]:
    """Write the files that are not so already; says which.

    Raises:
        SchemaError: one cannot be written.
    """
    changed = [path for path, text in files.items() if not _is_so(path, text)]
    for path in changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        except OSError as error:
            raise SchemaError(
                f"cannot write {path}: {error.strerror}", "free disk space, mend its rights, or set --into"
            ) from error
    return changed


def differing(files: Mapping[Path, str]) -> list[Path]:
    """The files that are missing or say something else."""
    return [path for path, text in files.items() if not _is_so(path, text)]


def _types(found: Inspected) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, strategies in ((LEGACY, found.legacy), (MODEL, found.models), (CONTROLLER, found.controllers)):
        for facts in strategies:
            yield kind, facts["name"], facts


def _controllers_in(folder: Path) -> dict[str, str]:
    """The schemas of controllers that were made before."""
    texts = {
        path.name.removesuffix(SUFFIX): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    }
    return {name: text for name, text in texts.items() if json.loads(text)["x-kind"] == CONTROLLER}


def _kept_source(folder: Path) -> str:
    manifest = folder / MANIFEST
    if not manifest.exists():
        return ""
    return str(json.loads(manifest.read_text(encoding="utf-8"))["source"]["controllers"])


def _envelope(into: Path, version: str, manifest: Mapping[str, Any]) -> str:
    """The strategy file's schema with one branch for each type: its config's schema, and the exchanges it can use."""
    own = into / ENVELOPE
    envelope = json.loads(own.read_text(encoding="utf-8") if own.exists() else schema_text(ENVELOPE))
    names = list(manifest["schemas"])
    envelope["allOf"] = [{"properties": {"strategy_type": {"enum": names}}}] + [
        {
            "if": {"properties": {"strategy_type": {"const": name}}, "required": ["strategy_type"]},
            "then": {"properties": {"config": {"$ref": f"strategies/{version}/{name}{SUFFIX}"}}},
        }
        for name in names
    ]
    return text_of(envelope)


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _is_so(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
