"""Every key that can be set, its kind, and text → value of that kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from reconciler.model.spec import NAME
from reconciler.settings.bad_value import BadValue
from reconciler.settings.model import FeeRow, LimitRow, Settings, TargetSettings, TotalRow
from reconciler.settings.policy_values import FEES, LIMITS, TOTALS, WANTED, is_row_name, policy_parser

TARGETS = "targets"

LISTS = (TOTALS, LIMITS)
"""Tables whose rows are counted from 0; the rows of others have names."""

_TABLES: dict[str, msgspec.Struct] = {
    TARGETS: TargetSettings(),
    TOTALS: TotalRow(),
    LIMITS: LimitRow(),
    FEES: FeeRow(),
}
"""Sections with as many rows as somebody writes, and the defaults of a row."""

DEFAULT_ROWS = (f"{TARGETS}.default",)

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


_TARGET = re.compile(NAME.pattern.replace(".", ""))
_ROOT = re.compile(rf"{NAME.pattern}(/{NAME.pattern}){{0,3}}")

_CHOICES = {
    "sync.on_invalid": ("reject", "skip"),
    "notifications.level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "profile": ("auto", "basic", "extended"),
    "policy.exclusive_markets": ("off", "warning", "error"),
    "severity": ("warning", "error"),
}
_CHANNELS = ("telegram", "discord")
_BROKERS = ("mqtt", "mqtts", "embedded", "memory")
_REPOSITORIES = ("https", "ssh", "file")

_DURATIONS = frozenset({"interval", "step_timeout", "basic_window", "connect_timeout"})

SECRET_KEYS = frozenset({"broker.password", "broker.api_key", "broker.api_secret"})
"""Shown as *** wherever settings are shown."""

PATH_KEYS = frozenset(
    {
        "schemas",
        "store.url",
        "source.allowed_signers",
        "broker.tls.ca_file",
        "broker.tls.cert_file",
        "broker.tls.key_file",
    }
)
"""Relative to the settings file's folder."""


def known_keys(rows: Iterable[str] = DEFAULT_ROWS) -> dict[str, Any]:
    """Every settable key and its default, in the file's spelling (`sync.interval`, not `interval_s`).

    `rows`: those of the tables, such as `targets.default`.
    """
    found = dict(_keys(Settings(), ""))
    for row in rows:
        found.update(_keys(_TABLES[table_of(row)], f"{row}."))
    return found


def _keys(section: msgspec.Struct, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        name = field.name.removesuffix("_s")
        if isinstance(value, msgspec.Struct):
            yield from _keys(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in _TABLES:
            yield f"{prefix}{name}", value


def row_of(key: str) -> str:
    """The row of a table that `key` stands in or is, such as `targets.default`; empty if there is none."""
    for table in _TABLES:
        if key.startswith(f"{table}."):
            return f"{table}.{key.removeprefix(table)[1:].partition('.')[0]}"
    return ""


def table_of(row: str) -> str:
    """The table that a row stands in."""
    return row.rpartition(".")[0]


def rows_of(keys: Iterable[str]) -> tuple[str, ...]:
    """The rows that keys stand in, each once; those of names that no row can have are left out."""
    rows = dict.fromkeys(filter(None, map(row_of, keys)))
    return tuple(row for row in rows if not fix_of_row(row))


def fix_of_row(row: str) -> str:
    """What to write instead of a row that its table cannot have; empty for one that it can."""
    table, _, name = row.rpartition(".")
    if table == TARGETS:
        return "" if is_target_name(name) else "name targets with letters, digits, _ and -"
    return "" if is_row_name(table, name) else WANTED[table]


def sections_of(known: Iterable[str]) -> set[str]:
    """What keys stand below: `sync`, `broker`, `broker.tls`, `targets`, `targets.default`."""
    return {key[:at] for key in known for at, letter in enumerate(key) if letter == "."} | _TABLES.keys()


def field_name(key: str) -> str:
    """The Struct's field of a key: durations end in `_s` there."""
    last = _last(key)
    return f"{last}_s" if last in _DURATIONS else last


def is_target_name(text: str) -> bool:
    """Whether a target may be called so: as a name on the wire, without the dot that parts keys."""
    return _TARGET.fullmatch(text) is not None


def is_address(repository: str) -> bool:
    """Whether `source.repository` is an address rather than a folder."""
    return re.match(r"[a-z+]+://|[\w.-]+@[\w.-]+:", repository, re.IGNORECASE) is not None


def _last(key: str) -> str:
    return key.rsplit(".", 1)[-1]


def parse(key: str, text: str, default: Any) -> Any:  # noqa: ANN401  (the type follows from the key)
    """Read `text` as `key`'s kind, and check what it may be.

    Raises:
        BadValue: it cannot be that.
    """
    value = _parser(key, default)(text)
    choices = _CHOICES.get(key) or _CHOICES.get(_last(key))
    if choices is not None and value not in choices:
        raise BadValue(f"{text!r} is not allowed", f"write one of {', '.join(choices)}")
    check = _CHECKS.get(key) or _CHECKS.get(_last(key))
    if check is not None:
        check(value)
    return value


def _parser(key: str, default: Any) -> Callable[[str], Any]:  # noqa: ANN401
    if _last(key) in _DURATIONS:
        return _duration
    if (parser := policy_parser(key)) is not None:
        return parser
    for kind, parser in _PARSERS.items():
        if isinstance(default, kind):
            return parser
    return _text


def _text(text: str) -> str:
    if not text:
        raise BadValue("is empty", "write a value, or leave the key out")
    return text


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BadValue(f"{text!r} is not a time span", "write 500ms, 30s, 5m or 1h")
    return float(found[1]) * _SECONDS[found[2]]


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise BadValue(f"{text!r} is neither true nor false", "write true or false")


def _whole(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]{1,9}", text.strip(), re.ASCII):
        raise BadValue(f"{text!r} is not a whole number", "write a whole number, such as 3")
    if int(text) < 0:
        raise BadValue(f"{text} is below 0", "write 0 or more")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadValue(f"{text!r} is not a number", "write a number, such as 0.3") from None


def _channels(text: str) -> tuple[str, ...]:
    channels = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for channel in channels:
        if channel not in _CHANNELS:
            raise BadValue(f"there is no channel {channel!r}", f"write some of {', '.join(_CHANNELS)}")
    return channels


_PARSERS: dict[type, Callable[[str], Any]] = {bool: _boolean, int: _whole, float: _number, tuple: _channels}
"""By the type of the default; bool comes first, since Python's True is an int."""


def _is_fraction(value: float) -> None:
    if not 0 <= value <= 1:
        raise BadValue(f"{value} is no fraction", "write a number from 0 to 1; 0.3 is 30 %")


def _is_positive(value: float) -> None:
    if value <= 0:
        raise BadValue(f"{value} is not above 0", "write a number above 0")


def _is_broker(value: str) -> None:
    if value.partition(":")[0] not in _BROKERS:
        schemes = ", ".join(f"{scheme}:" for scheme in _BROKERS)
        raise BadValue("the address has no scheme that we know", f"begin with one of {schemes}")


def _is_repository(value: str) -> None:
    scheme = value.partition("://")[0] if "://" in value else "file"
    if scheme.lower() not in _REPOSITORIES:
        raise BadValue("the address has no scheme that we speak", f"use one of {', '.join(_REPOSITORIES)}")


def _is_ref(value: str) -> None:
    if value.startswith("-") or set(value) & set(" \t~^:?*[\\"):
        raise BadValue(f"{value!r} is no branch, tag or commit", "write a name, such as main")


def _is_below(value: str) -> None:
    if PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
        raise BadValue(
            f"{value!r} leads out of the repository", "write a folder within it, such as strategies"
        )


def _is_root(value: str) -> None:
    if _ROOT.fullmatch(value) is None:
        raise BadValue(
            f"{value!r} is no root of topics", "write up to four names, such as hummingbot or desk/eu"
        )


_CHECKS: dict[str, Callable[[Any], None]] = {
    "source.repository": _is_repository,
    "source.ref": _is_ref,
    "source.path": _is_below,
    "sync.max_change_fraction": _is_fraction,
    "sync.concurrency": _is_positive,
    "broker.url": _is_broker,
    "root": _is_root,
    "interval": _is_positive,
    "step_timeout": _is_positive,
    "connect_timeout": _is_positive,
}
"""By key, or by its last part."""
