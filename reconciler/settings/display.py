"""Settings as they may be shown: no secret, no password in an address. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.redact import SETTING_MASK, masked_url
from reconciler.settings.keys import FEES, LISTS, SECRET_KEYS, TARGETS, field_name, is_duration, known_keys
from reconciler.settings.model import Settings


def described(settings: Settings, origins: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(key, value, origin) of every setting, in the order of the file."""
    named = {TARGETS: list(settings.targets), FEES: list(settings.policy.fees)}
    counted = {table: [str(index) for index in range(len(_value(table, settings)))] for table in LISTS}
    keys = known_keys(f"{table}.{row}" for table, rows in (named | counted).items() for row in rows)
    return [(key, _shown(key, _value(key, settings)), origins.get(key, "default")) for key in keys]


def shown_text(key: str, text: str) -> str:
    """What somebody wrote for `key`, as it may be shown."""
    return SETTING_MASK if key in SECRET_KEYS else masked_url(text)


def _value(key: str, settings: Settings) -> Any:  # noqa: ANN401  (the type follows from the key)
    value: Any = settings
    *sections, _ = key.split(".")
    for section in sections:
        if isinstance(value, tuple):
            value = value[int(section)]
        else:
            value = value[section] if isinstance(value, dict) else getattr(value, section)
    return getattr(value, field_name(key))


def _shown(key: str, value: Any) -> str:  # noqa: ANN401
    """A value as the file would say it, with its unit."""
    if value is None:
        return ""
    if key in SECRET_KEYS:
        return SETTING_MASK
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    if key.startswith(f"{FEES}."):
        return f"{value.normalize():f}%"
    return f"{value:g}s" if is_duration(key) else masked_url(str(value))
