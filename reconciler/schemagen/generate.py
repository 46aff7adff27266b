"""
Hummingbot → the files below schemas/: one schema for each strategy type, their manifest, and the envelope's list.

Also compares: the files on disk with what would be written, and a folder with its own manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from reconciler.catalog.catalog import CONTROLLER, LEGACY, MODEL
from reconciler.catalog.loading import ENVELOPE, MANIFEST, SUFFIX, schema_text
from reconciler.errors import Location, Problem, SchemaError
from reconciler.schemagen.inspection import inspect
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
    kinds = {LEGACY: found.legacy, MODEL: found.models, CONTROLLER: found.controllers}
    texts = {
        facts["name"]: text_of(write_schema(kind, facts, rules, names))
        for kind, strategies in kinds.items()
        for facts in strategies
    }
    if every_rule and (unmet := rules.unmet()):
        raise SchemaError(f"rules of the overlay match no field: {', '.join(unmet)}", f"correct {overlay}")
    if not source and (folder / MANIFEST).exists():
        source = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["source"]["controllers"]
    manifest = {
        "hummingbot": found.version,
        "source": {"strategies": f"the package hummingbot {found.version}", "controllers": source},
        "connectors": {"spot": names.spot, "perpetual": names.perpetual},
        "schemas": {
            name: _digest(text.encode())
            for name, text in sorted({**_controllers_in(folder), **texts}.items())
        },
    }
    files = {folder / f"{name}{SUFFIX}": text for name, text in texts.items()}
    files[folder / MANIFEST] = json.dumps(manifest, indent=2) + "\n"
    files[into / ENVELOPE] = _envelope(into, folder.name, list(manifest["schemas"]))
    return files


def _controllers_in(folder: Path) -> dict[str, str]:
    """The schemas of controllers that were generated before."""
    texts = {
        path.name.removesuffix(SUFFIX): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    }
    return {name: text for name, text in texts.items() if json.loads(text)["x-kind"] == CONTROLLER}


def _envelope(into: Path, version: str, names: Sequence[str]) -> str:
    """The strategy file's schema with one branch for each type: its config's schema, and the exchanges it can use."""
    own = into / ENVELOPE
    envelope = json.loads(own.read_text(encoding="utf-8") if own.exists() else schema_text(ENVELOPE))
    envelope["allOf"] = [{"properties": {"strategy_type": {"enum": names}}}] + [
        {
            "if": {"properties": {"strategy_type": {"const": name}}, "required": ["strategy_type"]},
            "then": {"properties": {"config": {"$ref": f"strategies/{version}/{name}{SUFFIX}"}}},
        }
        for name in names
    ]
    return text_of(envelope)


def differing(files: Mapping[Path, str]) -> list[Path]:
    """The files that are missing or have another text."""
    return [
        path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def write(files: Mapping[Path, str]) -> list[Path]:
    """Write the files that differ; returns which.

    Raises:
        SchemaError: one cannot be written.
    """
    changed = differing(files)
    for path in changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        except OSError as error:
            raise SchemaError(
                f"cannot write {path}: {error.strerror}",
                "free disk space, fix its permissions, or set --into",
            ) from error
    return changed


def check_folder(folder: Path) -> list[Problem]:
    """Everything wrong with one version's schemas in `folder`: against its manifest, and as JSON Schemas.

    Raises:
        SchemaError: there is no manifest that can be read.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SchemaError(
            f"{folder / MANIFEST} cannot be read: {getattr(error, 'strerror', None) or error}",
            "make it: reconciler schema generate --python INTERPRETER, one that has Hummingbot",
        ) from error
    files = {file.name.removesuffix(SUFFIX): file for file in sorted(folder.glob(f"*{SUFFIX}"))}
    problems = [
        _problem(folder / f"{name}{SUFFIX}", "it is in the manifest, but not in the folder", "make it again")
        for name in manifest["schemas"].keys() - files.keys()
    ]
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    for name, file in files.items():
        text, digest = file.read_bytes(), manifest["schemas"].get(name)
        if digest is None:
            what, fix = "it is not in the manifest", "make the manifest again, or remove the file"
            problems.append(_problem(file, what, fix))
        elif digest != _digest(text):
            fix = "make it again: corrections go to the overlay"
            problems.append(_problem(file, "it is not what was generated", fix))
        try:
            schema = json.loads(text)
        except ValueError as error:
            problems.append(_problem(file, f"it is not JSON: {error}", "make it again"))
            continue
        problems += [
            _problem(file, f"it is not a JSON Schema: {error.message}", "make it again")
            for error in meta.iter_errors(schema)
        ]
    return sorted(problems)


def _problem(file: Path, what: str, fix: str) -> Problem:
    return Problem(
        Location(str(file)), "", what, f"{fix} (reconciler schema generate)" if "again" in fix else fix
    )


def _digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()
