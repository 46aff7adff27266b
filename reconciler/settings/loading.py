"""
File, environment and flags → Settings, with the origin of each value.

Rule 1: flags come before the environment (`RECONCILER_SECTION__KEY`), that before the file, that before defaults.
Rule 2: what is not known is refused with its place; all problems at once.
Rule 3: `${env:NAME}` and `${file:PATH}` stand for secrets; their values are in no message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from reconciler.errors import Location, Problem, SettingsError, Severity
from reconciler.redact import masked_url
from reconciler.settings.contradictions import contradictions
from reconciler.settings.display import described
from reconciler.settings.keys import (
    ADDRESS_KEYS,
    DEFAULT_ROWS,
    LISTS,
    PATH_KEYS,
    SECRET_KEYS,
    TARGETS,
    WANTED,
    did_you_mean,
    field_name,
    fix_of_unknown,
    known_keys,
    rows_of,
    sections_of,
    table_of,
)
from reconciler.settings.model import Settings
from reconciler.settings.parsing import BadValue, Given, is_address, parse
from reconciler.settings.yaml_file import read_file

ENVIRONMENT_PREFIX = "RECONCILER_"

FLAG = "flag"

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(env|file):([^}]+)\})?")
"""Also what looks like one and is none; `$${` is the text `${`."""

_COMMAND_LINE = Location("command line")


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
    given = read_file(file, problems, fix_of_unknown) if file is not None else {}
    given |= _from_environment(environ, tuple(given), problems)
    given |= {key: Given(text, FLAG, _COMMAND_LINE, _COMMAND_LINE) for key, text in (flags or {}).items()}
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
    """What variables set; an empty one sets nothing, as is the custom of compose files.

    A variable with one _ where two belong sets nothing either, which nobody would notice: that is a warning.
    """
    found = {}
    targets = [key.split(".")[1] for key in in_file if key.startswith(f"{TARGETS}.")]
    spelt = {target.lower().replace("-", "_"): target for target in targets}  # as a variable can have a name
    for name, text in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or not text:
            continue
        place = Location(name)
        parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if len(parts) == 1:
            for key in known_keys():
                if parts[0] == key.replace(".", "_"):
                    fix = f"did you mean {ENVIRONMENT_PREFIX}{key.upper().replace('.', '__')}?"
                    problems.append(Problem(place, "", "sets nothing", fix, Severity.WARNING))
            continue
        if parts[0] == TARGETS:
            parts[1] = spelt.get(parts[1], parts[1])
        found[".".join(parts)] = Given(text, f"environment {name}", place, place)
    return found


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
        if _is_in_clear(key, item):
            fix = "write ${env:NAME} or ${file:/path}, and keep the value out of the file"
            problems.append(Problem(item.place, key, "a secret in clear", fix, Severity.WARNING))
    return values


def _rows(given: Iterable[str]) -> tuple[str, ...]:
    """The rows of all tables; there is one target even if nobody names it."""
    rows = rows_of(given)
    return rows if any(table_of(row) == TARGETS for row in rows) else (*DEFAULT_ROWS, *rows)


def _not_settable(key: str, item: Given, known: Mapping[str, Any]) -> Iterator[Problem]:
    if key in known:
        yield Problem(item.place, key, "has keys below it, but is one setting", f"write {key}: and its value")
    elif key not in sections_of(known):
        yield Problem(item.key_place, key, "there is no such setting", did_you_mean(key, known))
    elif not item.is_section:
        fix = WANTED.get(key, "below it, write `key: value`")
        yield Problem(item.place, key, "is not a setting but a section", fix)


def _value(key: str, item: Given, default: Any, environ: Mapping[str, str], folder: Path) -> Any:  # noqa: ANN401
    """Rule 3: an error says nothing of a secret's value."""
    text = resolved(item.text, environ, folder)
    try:
        return parse(key, text, default)
    except BadValue as error:
        if key in SECRET_KEYS or has_reference(item.text):
            raise BadValue("its value is not allowed", error.fix) from None
        raise


def _is_in_clear(key: str, item: Given) -> bool:
    """Whether the file itself has a secret, where every reader of the repository sees it."""
    if has_reference(item.text) or not item.place.line:
        return False
    return key in SECRET_KEYS or (key in ADDRESS_KEYS and masked_url(item.text) != item.text)


# -- references


def has_reference(text: str) -> bool:
    """Whether `text` stands for something that must not be shown."""
    return any(found[1] for found in _REFERENCE.finditer(text))


def resolved(text: str, environ: Mapping[str, str], folder: Path) -> str:
    """`text` with its references filled in; paths are relative to `folder`.

    Raises:
        BadValue: one stands for nothing. It says which, and nothing of what others stand for.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        kind, name = found.groups()
        if kind is None:
            raise BadValue(
                "${ begins no reference", "write ${env:NAME} or ${file:/path}, or $${ for the text ${"
            )
        if kind == "file":
            return _content(folder / name, name)
        if name not in environ:
            raise BadValue(f"there is no environment variable {name}", f"set {name}")
        return environ[name]

    return _REFERENCE.sub(value, text)


def _content(file: Path, name: str) -> str:
    """What a file says, without the line end that editors put behind it."""
    try:
        return file.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise BadValue(
            f"cannot read {name}: {error.strerror}", "mend the path or the file's rights"
        ) from None
    except UnicodeDecodeError:
        raise BadValue(f"{name} is not UTF-8 text", "save it as UTF-8 text") from None


# -- from values to settings


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
    """What `key` stands directly below, made where it is missing."""
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
