"""
File, environment and flags → Settings, with the origin of each value.

Rule 1: flags come before the environment (`RECONCILER_SECTION__KEY`), that before the file, that before defaults.
Rule 2: what is not known is refused with its place; all problems at once.
Rule 3: `${env:NAME}` and `${file:PATH}` stand for secrets; their values are in no message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from reconciler.errors import Location, Problem, SettingsError, Severity
from reconciler.redact import masked_url
from reconciler.settings.display import described
from reconciler.settings.keys import (
    DEFAULT_ROWS,
    LISTS,
    PATH_KEYS,
    SECRET_KEYS,
    TARGETS,
    WANTED,
    Given,
    contradictions,
    did_you_mean,
    field_name,
    fix_of_key,
    is_address,
    known_keys,
    rows_of,
    sections_of,
    table_of,
)
from reconciler.settings.model import Settings
from reconciler.settings.parsing import BadValue, parse
from reconciler.settings.yaml_file import read_file

ENVIRONMENT_PREFIX = "RECONCILER_"

FLAG = "flag"

_ADDRESSES = {"broker.url", "source.repository"}

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(env|file):([^}]+)\})?")
"""Also what looks like one and is none; `$${` is the text `${`."""


class Loaded(msgspec.Struct, frozen=True):
    """Settings and where each came from (key → origin); `warnings` for what works but should not be so."""

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[Problem, ...] = ()

    def describe(self) -> list[tuple[str, str, str]]:
        """(key, value as it may be shown, origin) of every setting, in the file's order."""
        return described(self.settings, self.origins)


def load_settings(
    file: Path | None,
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    unused: Collection[str] = (),
) -> Loaded:
    """Put the settings together; `file` None takes none. `flags`: dotted key → text.

    `unused`: sections that nobody will use: what they take from elsewhere (`${env:…}`) is left out.

    Raises:
        SettingsError: all that is wrong, each with its place and fix.
    """
    problems: list[Problem] = []
    given = read_file(file, problems, fix_of_key) if file is not None else {}
    given |= _from_environment(environ, tuple(given), problems)
    place = Location("command line")
    given |= {key: Given(text, FLAG, place, place) for key, text in (flags or {}).items()}
    folder = (file.parent if file is not None else Path()).absolute()
    used = {
        key: item
        for key, item in given.items()
        if key.partition(".")[0] not in unused or not has_reference(item.text)
    }
    values = _values(used, environ, folder, problems)
    problems += contradictions(values, given)
    errors = sorted(problem for problem in problems if problem.severity is Severity.ERROR)
    if errors:
        raise SettingsError("settings are wrong:\n" + "\n".join(map(str, errors)))
    origins = {key: item.origin for key, item in given.items() if key in values}
    return Loaded(_settings(values, given, folder), origins, tuple(problems))


def _from_environment(
    environ: Mapping[str, str], in_file: Iterable[str], problems: list[Problem]
) -> dict[str, Given]:
    """What variables set; an empty one sets nothing, as is the custom of compose files."""
    targets = [key.split(".")[1] for key in in_file if key.startswith(f"{TARGETS}.")]
    as_variables = {target.lower().replace("-", "_"): target for target in targets}
    found = {}
    for name, text in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or not text:
            continue
        place = Location(name)
        parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if len(parts) == 1:  # one _ where two belong sets nothing, which nobody would notice
            for key in known_keys():
                if parts[0] == key.replace(".", "_"):
                    fix = f"did you mean {ENVIRONMENT_PREFIX}{key.upper().replace('.', '__')}?"
                    problems.append(Problem(place, "", "sets nothing", fix, Severity.WARNING))
            continue
        if parts[0] == TARGETS:
            parts[1] = as_variables.get(parts[1], parts[1])
        found[".".join(parts)] = Given(text, f"environment {name}", place, place)
    return found


# -- references


class BadReference(BadValue):
    """A reference that stands for nothing; the text never has a value in it."""


def has_reference(text: str) -> bool:
    """Whether `text` stands for something that must not be shown."""
    return any(found[1] for found in _REFERENCE.finditer(text))


def resolved(text: str, environ: Mapping[str, str], folder: Path) -> str:
    """`text` with its references filled in, each looked up now; paths are relative to `folder`.

    Raises:
        BadReference: one stands for nothing. It says which, and nothing of what others stand for.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        kind, name = found[1], found[2]
        if kind is None:
            raise BadReference(
                "${ begins no reference", "write ${env:NAME} or ${file:/path}, or $${ for the text ${"
            )
        if kind == "env":
            if name not in environ:
                raise BadReference(f"there is no environment variable {name}", f"set {name}")
            return environ[name]
        try:  # without the line end that editors put behind the last line
            return (folder / name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            what, fix = f"cannot read {name}: {error.strerror}", "correct the path or the file's permissions"
            raise BadReference(what, fix) from None
        except UnicodeDecodeError:
            raise BadReference(f"{name} is not UTF-8 text", "save it as UTF-8 text") from None

    return _REFERENCE.sub(value, text)


# -- from text to values


def _values(
    given: Mapping[str, Given], environ: Mapping[str, str], folder: Path, problems: list[Problem]
) -> dict[str, Any]:
    known = known_keys(_rows(given))
    sections = sections_of(known)
    values: dict[str, Any] = {}
    for key, item in given.items():
        if key in known and not item.is_section:
            try:
                values[key] = parse(key, resolved(item.text, environ, folder), known[key])
            except BadReference as error:
                problems.append(Problem(item.place, key, str(error), error.fix))
            except BadValue as error:
                has_secret = key in SECRET_KEYS or has_reference(item.text)
                what = "its value is not allowed" if has_secret else str(error)
                problems.append(Problem(item.place, key, what, error.fix))
            in_clear = key in SECRET_KEYS or (key in _ADDRESSES and masked_url(item.text) != item.text)
            if in_clear and item.place.line and not has_reference(item.text):  # the file itself has it
                fix = "write ${env:NAME} or ${file:/path}, and keep the value out of the file"
                problems.append(Problem(item.place, key, "a secret in clear", fix, Severity.WARNING))
        elif key in known:
            what, fix = "has keys below it, but is one setting", f"write {key}: and its value"
            problems.append(Problem(item.place, key, what, fix))
        elif key not in sections:
            fix = did_you_mean(key, known)
            problems.append(Problem(item.key_place, key, "there is no such setting", fix))
        elif not item.is_section:
            fix = WANTED.get(key, "below it, write `key: value`")
            problems.append(Problem(item.place, key, "is not a setting but a section", fix))
    return values


def _rows(given: Iterable[str]) -> tuple[str, ...]:
    """The rows of all tables; one target there is even if nobody names it."""
    rows = rows_of(given)
    return rows if any(table_of(row) == TARGETS for row in rows) else (*DEFAULT_ROWS, *rows)


def _settings(values: Mapping[str, Any], given: Mapping[str, Given], folder: Path) -> Settings:
    """The Structs; paths are made absolute from `folder`, where `:memory:` is none."""
    tree: dict[str, Any] = {}
    for row in _rows(given):
        _section_of(f"{row}.", tree)
    for key, value in {"source.repository": ".", "store.url": Settings().store.url, **values}.items():
        placed = value
        if key == "source.path":
            placed = "/".join(PurePosixPath(value).parts)
        elif key in PATH_KEYS or (key == "source.repository" and not is_address(value)):
            placed = value if value.startswith(":") else os.path.normpath(folder / Path(value).expanduser())
        _section_of(key, tree)[field_name(key)] = placed
    for table in LISTS:
        above, name = _section_of(table, tree), table.rpartition(".")[2]
        above[name] = [row for _, row in sorted(above.get(name, {}).items(), key=lambda item: int(item[0]))]
    return msgspec.convert(tree, Settings)


def _section_of(key: str, tree: dict[str, Any]) -> dict[str, Any]:
    """What `key` stands directly below, made where it is not there yet."""
    level = tree
    for section in key.split(".")[:-1]:
        level = level.setdefault(section, {})
    return level
