"""
Hides secrets: fields of configs that hold one, and user names and passwords in addresses. Pure.

Secrets have no place in a strategy file: the agent holds them (`account`). One that is there nevertheless
is masked wherever a plan is shown, and such a plan is not saved.
"""

from __future__ import annotations

import re
from typing import Any

from reconciler.model.spec import Value

FIELD_MASK = "********"
"""Stands for a secret in the config of a strategy."""

SETTING_MASK = "***"
"""Stands for a secret in settings and addresses."""

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")

_WORD = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+")

_ALWAYS = frozenset(
    {"secret", "password", "passwd", "passphrase", "mnemonic", "apikey", "credential", "credentials"}
)
_AT_THE_END = frozenset({"key", "token"})

_ASSET = re.compile(r"[A-Z0-9.]{1,15}")
"""Fields such as liquidity_mining's `token` name an asset, which is no secret."""


def is_secret(name: str, value: Value) -> bool:
    """Whether a field of this name holds what must not be shown: `api_key`, `walletPassword`, `bot_token`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or value is None:
        return False
    if words[-1] == "token" and isinstance(value, str) and _ASSET.fullmatch(value):
        return False
    return not _ALWAYS.isdisjoint(words) or words[-1] in _AT_THE_END


def masked(value: Value, path: str = "") -> Any:  # noqa: ANN401  (a Value, with masks in it)
    """`value` with every secret in it masked; `path` is the dotted way to it."""
    if any(is_secret(name, value) for name in path.split(".")):
        return FIELD_MASK
    if isinstance(value, dict):
        return {key: masked(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value


def secret_paths(value: Value, path: str) -> list[str]:
    """Dotted paths of all secrets in `value`."""
    if is_secret(path.rpartition(".")[2], value):
        return [path]
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in secret_paths(item, f"{path}.{key}")]
    if isinstance(value, list | tuple):
        return [found for index, item in enumerate(value) for found in secret_paths(item, f"{path}.{index}")]
    return []


def masked_url(text: str) -> str:
    """`text` with the user name and password of every address in it masked."""
    return _CREDENTIALS.sub(f"{SETTING_MASK}@", text)
