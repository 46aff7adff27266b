"""Whether a folder of schemas is what its manifest says, and each of them a JSON Schema that can be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.catalog.packaged import MANIFEST, SUFFIX
from reconciler.errors import Location, Problem, SchemaError


def check_folder(folder: Path) -> list[Problem]:
    """Everything wrong with one version's schemas in `folder`.

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
    there = {file.name.removesuffix(SUFFIX): file for file in sorted(folder.glob(f"*{SUFFIX}"))}
    problems = [
        _problem(folder / f"{name}{SUFFIX}", "the manifest has it, the folder has not", "make it again")
        for name in manifest["schemas"].keys() - there.keys()
    ]
    for name, file in there.items():
        problems.extend(_check(file, manifest["schemas"].get(name)))
    return sorted(problems)


def _check(file: Path, digest: str | None) -> Iterator[Problem]:
    text = file.read_bytes()
    if digest is None:
        yield _problem(file, "the manifest does not have it", "make the manifest again, or remove the file")
    elif digest != "sha256:" + hashlib.sha256(text).hexdigest():
        yield _problem(
            file, "it is not what was generated", "make it again: what is known better goes to the overlay"
        )
    try:
        schema = json.loads(text)
    except ValueError as error:
        yield _problem(file, f"it is no JSON: {error}", "make it again")
        return
    yield from (_problem(file, said, "make it again") for said in _meta_errors(schema))


def _meta_errors(schema: Any) -> Iterator[str]:  # noqa: ANN401  (any JSON value)
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    yield from (f"it is no JSON Schema: {error.message}" for error in checker.iter_errors(schema))


def _problem(file: Path, what: str, fix: str) -> Problem:
    return Problem(
        Location(str(file)), "", what, f"{fix} (reconciler schema generate)" if "again" in fix else fix
    )
