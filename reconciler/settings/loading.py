"""
File, environment and flags → Settings, with the origin of each value.

Rule 1: flags come before the environment (`RECONCILER_SECTION__KEY`), that before the file, that before defaults.
Rule 2: what is not known is refused with its place; all problems at once.
Rule 3: `${env:NAME}` and `${file:PATH}` stand for secrets; their values are in no message.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from reconciler.errors import Location, Problem, SettingsError, Severity
from reconciler.redact import masked_url
from reconciler.settings.bad_value import BadValue
from reconciler.settings.checks import contradictions
from reconciler.settings.display import described
from reconciler.settings.keys import (
    DEFAULT_ROWS,
    LISTS,
    PATH_KEYS,
    SECRET_KEYS,
    TARGETS,
    field_name,
    fix_of_row,
    is_address,
    known_keys,
    parse,
    row_of,
    rows_of,
    sections_of,
    table_of,
)
from reconciler.settings.model import Settings
from reconciler.settings.policy_values import WANTED
from reconciler.settings.references import has_reference, resolved
from reconciler.settings.yaml_file import Given, read_file

ENVIRONMENT_PREFIX = "RECONCILER_"

FLAG = "flag"


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
    given = read_file(file, problems, _unknown_in_file) if file is not None else {}
    given |= _from_environment(environ, tuple(given), problems)
    given |= {key: _flag(text) for key, text in (flags or {}).items()}
    folder = (file.parent if file is not None else Path()).absolute()
    used = {
        key: item for key, item in given.items() if not (_section(key) in unused and has_reference(item.text))
    }
    values = _values(used, environ, folder, problems)
    problems += contradictions(values, given)
    errors = sorted(problem for problem in problems if problem.severity is Severity.ERROR)
    if errors:
        raise SettingsError("settings are wrong:\n" + "\n".join(map(str, errors)))
    origins = {key: item.origin for key, item in given.items() if key in values}
    return Loaded(_settings(values, given, folder), origins, tuple(problems))


def _section(key: str) -> str:
    return key.partition(".")[0]


# -- where values come from


def _unknown_in_file(key: str) -> str | None:
    """The fix for a key that no setting has and that no section is called; None if one is."""
    row = row_of(key)
    if row and (fix := fix_of_row(row)):
        return fix
    known = known_keys((row,) if row else DEFAULT_ROWS)
    return None if key in known or key in sections_of(known) else _did_you_mean(key, known)


def _did_you_mean(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, (*known, *sections_of(known)), 1)
    return f"did you mean {near[0]}?" if near else "remove it; `reconciler config show` lists all settings"


def _flag(text: str) -> Given:
    place = Location("command line")
    return Given(text, FLAG, place, place)


def _from_environment(
    environ: Mapping[str, str], in_file: Iterable[str], problems: list[Problem]
) -> dict[str, Given]:
    """What variables set; an empty one sets nothing, as is the custom of compose files."""
    found = {}
    targets = {
        _as_variable(key.split(".")[1]): key.split(".")[1] for key in in_file if key.startswith(f"{TARGETS}.")
    }
    for name, text in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or not text:
            continue
        place = Location(name)
        parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if len(parts) == 1:
            problems += _misspelt(name, parts[0])
            continue
        if parts[0] == TARGETS:
            parts[1] = targets.get(parts[1], parts[1])
        found[".".join(parts)] = Given(text, f"environment {name}", place, place)
    return found


def _as_variable(target: str) -> str:
    """A target's name as a variable can have it."""
    return target.lower().replace("-", "_")


def _misspelt(name: str, rest: str) -> Iterator[Problem]:
    """A variable with one _ where two belong sets nothing, which nobody would notice."""
    for key in known_keys():
        if rest == key.replace(".", "_"):
            fix = f"did you mean {ENVIRONMENT_PREFIX}{key.upper().replace('.', '__')}?"
            yield Problem(Location(name), "", "sets nothing", fix, Severity.WARNING)


# -- from text to values


def _values(
    given: Mapping[str, Given], environ: Mapping[str, str], folder: Path, problems: list[Problem]
) -> dict[str, Any]:
    known = known_keys(_rows(given))
    values: dict[str, Any] = {}
    for key, item in given.items():
        if key not in known or item.is_section:
            problems += _not_settable(key, item, known)
            continue
        try:
            values[key] = _value(key, item, known[key], environ, folder)
        except BadValue as error:
            problems.append(Problem(item.place, key, str(error), error.fix))
        if _in_clear(key, item):
            fix = "write ${env:NAME} or ${file:/path}, and keep the value out of the file"
            problems.append(Problem(item.place, key, "a secret in clear", fix, Severity.WARNING))
    return values


def _rows(given: Iterable[str]) -> tuple[str, ...]:
    """The rows of all tables; one target there is even if nobody names it."""
    rows = rows_of(given)
    return rows if any(table_of(row) == TARGETS for row in rows) else (*DEFAULT_ROWS, *rows)


def _not_settable(key: str, item: Given, known: Mapping[str, Any]) -> Iterator[Problem]:
    if key in known:
        yield Problem(item.place, key, "has keys below it, but is one setting", f"write {key}: and its value")
    elif key not in sections_of(known):
        yield Problem(item.key_place, key, "there is no such setting", _did_you_mean(key, known))
    elif not item.is_section:
        fix = WANTED.get(key, "below it, write `key: value`")
        yield Problem(item.place, key, "is not a setting but a section", fix)


def _value(key: str, item: Given, default: Any, environ: Mapping[str, str], folder: Path) -> Any:  # noqa: ANN401
    text = resolved(item.text, environ, folder)
    try:
        return parse(key, text, default)
    except BadValue as error:
        if key in SECRET_KEYS or has_reference(item.text):
            raise BadValue("its value is not allowed", error.fix) from None
        raise


def _in_clear(key: str, item: Given) -> bool:
    """Whether the file itself has a secret, where every reader of the repository sees it."""
    if has_reference(item.text) or not item.place.line:
        return False
    return key in SECRET_KEYS or (key in _ADDRESSES and masked_url(item.text) != item.text)


_ADDRESSES = {"broker.url", "source.repository"}


def _settings(values: Mapping[str, Any], given: Mapping[str, Given], folder: Path) -> Settings:
    tree: dict[str, Any] = {}
    for row in _rows(given):
        _section_of(f"{row}.", tree)
    placed = {"source.repository": ".", "store.url": Settings().store.url, **values}
    for key, value in placed.items():
        _section_of(key, tree)[field_name(key)] = _placed(key, value, folder)
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


def _placed(key: str, value: Any, folder: Path) -> Any:  # noqa: ANN401
    """Paths relative to the settings file's folder; `:memory:` is none."""
    if key == "source.path":
        return "/".join(PurePosixPath(value).parts)
    is_path = key in PATH_KEYS or (key == "source.repository" and not is_address(value))
    if not is_path or value.startswith(":"):
        return value
    return os.path.normpath(folder / Path(value).expanduser())
