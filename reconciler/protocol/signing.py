"""Signatures of commands: HMAC-SHA256 over canonical JSON of topic and payload (protocol.md). Pure."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.protocol.canonical import canonical_json
from reconciler.protocol.messages import Command


def signature(topic: str, command: Command, api_secret: str) -> str:
    """Hex HMAC-SHA256 of `command` on `topic`; the command's own `meta.signature` does not count."""
    body: dict[str, Any] = msgspec.to_builtins(command, builtin_types=(Decimal,))
    body.get("meta", {}).pop("signature", None)
    message = canonical_json({"topic": topic, "payload": body})
    return hmac.new(api_secret.encode(), message, hashlib.sha256).hexdigest()


def sign(topic: str, command: Command, *, api_key: str, api_secret: str) -> Command:
    """Return `command` with `meta.api_key` and `meta.signature` filled in; it must have a meta."""
    if command.meta is None:
        raise ValueError("only a command with meta can be signed")
    keyed = msgspec.structs.replace(command.meta, api_key=api_key, signature="")
    unsigned = msgspec.structs.replace(command, meta=keyed)
    signed = msgspec.structs.replace(keyed, signature=signature(topic, unsigned, api_secret))
    return msgspec.structs.replace(command, meta=signed)


def verified(topic: str, command: Command, keys: dict[str, str]) -> bool:
    """Whether `command` carries the signature of one of `keys` (api_key → api_secret)."""
    if command.meta is None:
        return False
    secret = keys.get(command.meta.api_key)
    if secret is None:
        return False
    return hmac.compare_digest(command.meta.signature, signature(topic, command, secret))
