"""Settings as they may be shown: no secret, no password in an address. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.redact import SETTING_MASK, masked_url
from reconciler.settings.keys import FEES, LISTS, SECRET_KEYS, TARGETS, field_name, known_keys
from reconciler.settings.model import Settings


def described(settings: Settings, origins: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(key, value, origin) of every setting, in the order of the file."""
    tables = {TARGETS: list(settings.targets), FEES: list(settings.policy.fees)}
    tables |= {table: [str(index) for index in range(len(_value(table, settings)))] for table in LISTS}
    found = []
    for key in known_keys(f"{table}.{row}" for table, rows in tables.items() for row in rows):
        match _value(key, settings):
            case None:
                shown = ""
            case tuple() as words:
                shown = ", ".join(words)
            case bool() as value:
                shown = str(value).lower()
            case fee if key.startswith(f"{FEES}."):
                shown = f"{fee.normalize():f}%"
            case seconds if field_name(key).endswith("_s"):
                shown = f"{seconds:g}s"
            case value:
                shown = shown_text(key, str(value))
        found.append((key, shown, origins.get(key, "default")))
    return found


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
