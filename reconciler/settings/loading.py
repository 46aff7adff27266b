"""
File, environment and flags → Settings, with the origin of each value.

Rule 1: flags come before the environment (`RECONCILER_SECTION__KEY`), that before the file, that before defaults.
Rule 2: what is not known is refused with its place; all problems at once.
Rule 3: `${env:NAME}` and `${file:PATH}` stand for secrets; their values are in no message.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reconciler.errors import Location, Problem, SettingsError, Severity
from reconciler.settings.keys import PATH_KEYS, SECRET_KEYS, TARGETS, BadValue, field_name, known_keys, parse
from reconciler.settings.shape import Settings

ENVIRONMENT_PREFIX = "RECONCILER_"

_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")

MASK = "***"


class Given(msgspec.Struct, frozen=True):
    """A value as somebody wrote it, and where."""

    text: str
    origin: str
    location: Location


class Loaded(msgspec.Struct, frozen=True):
    """Settings and where each came from (key → origin); `warnings` for what works but should not be so."""

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[Problem, ...] = ()

    def describe(self) -> list[tuple[str, str, str]]:
        """(key, value as it may be shown, origin) of every setting, in the file's order."""
        keys = known_keys(tuple(self.settings.targets))
        return [(key, _shown(key, self.settings), self.origins.get(key, "default")) for key in keys]


def masked_url(url: str) -> str:
    """An address without the user name and password in it."""
    return _CREDENTIALS.sub(f"{MASK}@", url)


def load_settings(
    file: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> Loaded:
    """Put the settings together; `file` None takes none. `flags`: dotted key → text.

    Raises:
        SettingsError: all that is wrong, each with its place and fix.
    """
    problems: list[Problem] = []
    given = {
        **(_from_file(file, problems) if file is not None else {}),
        **_from_environment(environ),
        **{key: Given(text, "flag", Location(f"--set {key}")) for key, text in (flags or {}).items()},
    }
    folder = (file.parent if file is not None else Path()).resolve()
    values = _values(given, environ, folder, problems)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise SettingsError("settings are wrong:\n" + "\n".join(map(str, sorted(errors))))
    origins = {key: item.origin for key, item in given.items()}
    return Loaded(_settings(values, folder), origins, tuple(problems))


# -- where values come from


def _from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    found = {}
    for name, text in environ.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            found[key] = Given(text, f"environment {name}", Location(name))
    return found


def _from_file(file: Path, problems: list[Problem]) -> dict[str, Given]:
    import yaml

    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(
            f"{file}: {error.strerror}", fix="run `reconciler init`, or name a file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not YAML: {error}", fix="mend the syntax") from error
    if root is None:
        return {}
    return dict(_flat(root, "", file, problems))


def _flat(node: Any, prefix: str, file: Path, problems: list[Problem]) -> Iterator[tuple[str, Given]]:  # noqa: ANN401
    """The leaves of a YAML node by dotted key; yaml's nodes have no usable types."""
    place = Location(str(file), node.start_mark.line + 1, node.start_mark.column + 1)
    if node.id == "mapping":
        yield from _mapping(node, prefix, file, problems)
    elif node.id == "sequence" and all(item.id == "scalar" for item in node.value):
        yield prefix, Given(",".join(item.value for item in node.value), str(place), place)
    elif node.id == "scalar" and prefix:
        if not (node.tag.endswith(":null") or (node.value == "" and not node.style)):
            yield prefix, Given(node.value, str(place), place)
    else:
        problems.append(
            Problem(place, prefix, "is not a setting", "write `section:` and below it `key: value`")
        )


def _mapping(node: Any, prefix: str, file: Path, problems: list[Problem]) -> Iterator[tuple[str, Given]]:  # noqa: ANN401
    seen: set[str] = set()
    for key, value in node.value:
        name = f"{prefix}.{key.value}" if prefix else str(key.value)
        if name in seen:
            place = Location(str(file), key.start_mark.line + 1, key.start_mark.column + 1)
            problems.append(Problem(place, name, "stands here a second time", "remove one of the two"))
        seen.add(name)
        if (
            name.count(".") == 1
            and name.startswith(f"{TARGETS}.")
            and value.id == "mapping"
            and not value.value
        ):
            yield f"{name}.profile", Given("auto", str(file), Location(str(file)))
        yield from _flat(value, name, file, problems)


# -- from text to values


def _values(
    given: Mapping[str, Given], environ: Mapping[str, str], folder: Path, problems: list[Problem]
) -> dict[str, Any]:
    targets = tuple(dict.fromkeys(key.split(".")[1] for key in given if key.startswith(f"{TARGETS}.")))
    known = known_keys(targets or ("default",))
    values: dict[str, Any] = {}
    for key, item in given.items():
        if key not in known:
            problems.append(_unknown(key, item, known))
            continue
        try:
            values[key] = parse(key, _resolved(item.text, environ, folder), known[key])
        except BadValue as error:
            what = "its value is not allowed" if key in SECRET_KEYS else str(error)
            problems.append(Problem(item.location, key, what, error.fix))
        if key in SECRET_KEYS and "${" not in item.text and item.origin.startswith(str(item.location.file)):
            fix = "write ${env:NAME} or ${file:/path}, and keep the value out of the file"
            problems.append(Problem(item.location, key, "a secret in clear", fix, Severity.WARNING))
    return values


def _unknown(key: str, item: Given, known: Mapping[str, Any]) -> Problem:
    near = difflib.get_close_matches(key, known, 1)
    fix = f"did you mean {near[0]}?" if near else "remove it; `reconciler config show` lists all settings"
    return Problem(item.location, key, "there is no such setting", fix)


def _resolved(text: str, environ: Mapping[str, str], folder: Path) -> str:
    def value(found: re.Match[str]) -> str:
        kind, name = found.groups()
        if kind == "env":
            if name not in environ:
                raise BadValue(f"there is no environment variable {name}", f"set {name}")
            return environ[name]
        try:
            return (folder / name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadValue(
                f"cannot read {name}: {error.strerror}", "mend the path or the file's rights"
            ) from None

    return _REFERENCE.sub(value, text)


def _settings(values: Mapping[str, Any], folder: Path) -> Settings:
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, _ = key.split(".")
        level = tree
        for section in sections:
            level = level.setdefault(section, {})
        level[field_name(key)] = _placed(key, value, folder)
    tree.setdefault(TARGETS, {"default": {}})
    settings = msgspec.convert(tree, Settings)
    source = msgspec.structs.replace(
        settings.source, repository=_repository(settings.source.repository, folder)
    )
    store = msgspec.structs.replace(settings.store, url=_placed("store.url", settings.store.url, folder))
    return msgspec.structs.replace(settings, source=source, store=store)


def _placed(key: str, value: Any, folder: Path) -> Any:  # noqa: ANN401
    """A relative path is relative to the settings file; `:memory:` is none."""
    if key not in PATH_KEYS or not isinstance(value, str) or value.startswith(":"):
        return value
    return str(folder / value)


def _repository(repository: str, folder: Path) -> str:
    is_address = "://" in repository or re.match(r"[\w.-]+@[\w.-]+:", repository)
    return repository if is_address else str((folder / repository).resolve())


# -- showing


def _shown(key: str, settings: Settings) -> str:
    value: Any = settings
    *sections, _ = key.split(".")
    for section in sections:
        value = value[section] if isinstance(value, dict) else getattr(value, section)
    value = getattr(value, field_name(key))
    if value is None:
        return ""
    if key in SECRET_KEYS:
        return MASK
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    if field_name(key).endswith("_s"):
        return f"{value:g}s"
    return masked_url(str(value))
