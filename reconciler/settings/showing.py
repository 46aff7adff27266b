"""Settings as they may be shown: no secret, no password in an address. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.settings.keys import SECRET_KEYS, field_name, known_keys
from reconciler.settings.masking import MASK, masked_url
from reconciler.settings.shape import Settings


def described(settings: Settings, origins: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(key, value, origin) of every setting, in the order of the file."""
    keys = known_keys(settings.targets)
    return [(key, _shown(key, _value(key, settings)), origins.get(key, "default")) for key in keys]


def _value(key: str, settings: Settings) -> Any:  # noqa: ANN401  (the type follows from the key)
    value: Any = settings
    *sections, _ = key.split(".")
    for section in sections:
        value = value[section] if isinstance(value, dict) else getattr(value, section)
    return getattr(value, field_name(key))


def _shown(key: str, value: Any) -> str:  # noqa: ANN401
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
