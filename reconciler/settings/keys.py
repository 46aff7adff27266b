"""Every key that can be set, its kind, and text → value of that kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from reconciler.settings.shape import Settings, TargetSettings

TARGETS = "targets"

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}

_CHOICES = {
    "sync.on_invalid": ("reject", "skip"),
    "notifications.level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "profile": ("auto", "basic", "extended"),
}
_CHANNELS = ("telegram", "discord")
_SCHEMES = ("mqtt", "mqtts", "embedded", "memory")

SECRET_KEYS = frozenset({"broker.password", "broker.api_key", "broker.api_secret"})
"""Shown as *** wherever settings are shown."""

PATH_KEYS = frozenset({"store.url", "source.allowed_signers", "broker.tls.ca_file", "broker.tls.cert_file",
                       "broker.tls.key_file"})  # fmt: skip
"""Relative to the settings file's folder."""


class BadValue(ValueError):
    """A value that its key cannot have; `fix` says what it can."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def known_keys(target_names: Iterator[str] | tuple[str, ...] = ("default",)) -> dict[str, Any]:
    """Every settable key and its default, in the file's spelling (`sync.interval`, not `interval_s`)."""
    found = dict(_keys(Settings(), ""))
    for name in target_names:
        found.update(_keys(TargetSettings(), f"{TARGETS}.{name}."))
    return found


def _keys(section: msgspec.Struct, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        name = field.name.removesuffix("_s")
        if isinstance(value, msgspec.Struct):
            yield from _keys(value, f"{prefix}{name}.")
        elif not isinstance(value, dict):
            yield f"{prefix}{name}", value


def field_name(key: str) -> str:
    """The Struct's field of a key: durations end in `_s` there."""
    last = key.rsplit(".", 1)[-1]
    return f"{last}_s" if is_duration(key) else last


def is_duration(key: str) -> bool:
    """Whether a key's value is a time span."""
    return key.rsplit(".", 1)[-1] in {"interval", "step_timeout", "basic_window", "connect_timeout"}


def parse(key: str, text: str, default: Any) -> Any:  # noqa: ANN401  (the type follows from the key)
    """Read `text` as `key`'s kind, and check what it may be.

    Raises:
        BadValue: it cannot be that.
    """
    value = _parser(key, default)(text)
    check = _CHECKS.get(key) or _CHECKS.get(key.rsplit(".", 1)[-1])
    if check is not None:
        check(value)
    choices = _CHOICES.get(key) or _CHOICES.get(key.rsplit(".", 1)[-1])
    if choices is not None and value not in choices:
        raise BadValue(f"{text!r} is not allowed", f"write one of {', '.join(choices)}")
    return value


def _parser(key: str, default: Any) -> Callable[[str], Any]:  # noqa: ANN401
    if is_duration(key):
        return _duration
    if isinstance(default, bool):
        return _boolean
    if isinstance(default, int):
        return _whole
    if isinstance(default, float):
        return _number
    if isinstance(default, tuple):
        return _channels
    return str


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
    try:
        value = int(text)
    except ValueError:
        raise BadValue(f"{text!r} is not a whole number", "write a whole number, such as 3") from None
    if value < 0:
        raise BadValue(f"{text} is below 0", "write 0 or more")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadValue(f"{text!r} is not a number", "write a number, such as 0.3") from None


def _channels(text: str) -> tuple[str, ...]:
    channels = tuple(part.strip() for part in text.split(",") if part.strip())
    for channel in channels:
        if channel not in _CHANNELS:
            raise BadValue(f"there is no channel {channel!r}", f"write some of {', '.join(_CHANNELS)}")
    return channels


def _is_fraction(value: float) -> None:
    if not 0 <= value <= 1:
        raise BadValue(f"{value} is no fraction", "write a number from 0 to 1; 0.3 is 30 %")


def _is_positive(value: float) -> None:
    if value <= 0:
        raise BadValue(f"{value} is not above 0", "write a number above 0")


def _is_broker(value: str) -> None:
    if value.partition(":")[0] not in _SCHEMES:
        schemes = ", ".join(f"{scheme}:" for scheme in _SCHEMES)
        raise BadValue("the address has no scheme that we know", f"begin with one of {schemes}")


def _is_root(value: str) -> None:
    if not value or set(value) & {"+", "#", "\0"} or value[0] in "/$" or value.endswith("/"):
        raise BadValue(f"{value!r} is no root of topics", "write levels of plain text, such as hummingbot")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "sync.max_change_fraction": _is_fraction,
    "sync.concurrency": _is_positive,
    "broker.url": _is_broker,
    "root": _is_root,
    "interval": _is_positive,
    "step_timeout": _is_positive,
    "connect_timeout": _is_positive,
}
