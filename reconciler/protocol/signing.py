"""
Signatures of commands and what guards them against being sent again (protocol.md, Extended). Pure.

What is signed is the payload as it travels, unknown keys included: HMAC-SHA256 over the canonical JSON of
`{"topic": …, "payload": …}`, the payload without its `meta.signature`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any

import msgspec

from reconciler.protocol.canonical import canonical_json
from reconciler.protocol.messages import CommandMessage, CommandMeta, MalformedMessage, decode_object, encode
from reconciler.protocol.times import expired, parse_time


def signature(topic: str, payload: bytes, api_secret: str) -> str:
    """Hex HMAC-SHA256 of `payload` on `topic`, as its sender and its receiver compute it.

    Raises:
        MalformedMessage: the payload is not a JSON object.
    """
    body = decode_object(payload)
    meta = _meta(body)
    body["meta"] = {key: value for key, value in meta.items() if key != "signature"}
    message = canonical_json({"topic": topic, "payload": body})
    return hmac.new(api_secret.encode(), message, hashlib.sha256).hexdigest()


def _meta(body: Mapping[str, Any]) -> dict[str, Any]:
    meta = body.get("meta")
    return meta if isinstance(meta, dict) else {}


def sign(topic: str, command: CommandMessage, *, api_key: str, api_secret: str) -> CommandMessage:
    """Return `command` with `meta.api_key` and `meta.signature` filled in.

    Raises:
        ValueError: it has no `meta` or no `meta.expires_at`: without an end it could be sent again for ever.
    """
    if command.meta is None or command.meta.expires_at is None:
        raise ValueError("only a command with meta.expires_at can be signed")
    keyed = msgspec.structs.replace(command.meta, api_key=api_key, signature="")
    unsigned = msgspec.structs.replace(command, meta=keyed)
    signed = msgspec.structs.replace(keyed, signature=signature(topic, encode(unsigned), api_secret))
    return msgspec.structs.replace(command, meta=signed)


def verified(topic: str, payload: bytes, keys: Mapping[str, str]) -> bool:
    """Whether `payload`, as received on `topic`, is signed with one of `keys` (api_key → api_secret)."""
    try:
        meta = _meta(decode_object(payload))
        api_key, given = meta.get("api_key"), meta.get("signature")
        if not isinstance(api_key, str) or not isinstance(given, str):
            return False
        expected = signature(topic, payload, keys.get(api_key, ""))
    except MalformedMessage:
        return False
    return hmac.compare_digest(given.encode(), expected.encode()) and api_key in keys


class NonceMemory:
    """Which signed requests were taken already; each is forgotten once it is too old to be taken anyway.

    `remembered`: request ids and when each one's command expires, from before a restart (`remembered` property).
    """

    def __init__(self, remembered: Iterable[tuple[str, datetime]] = ()) -> None:
        self._ends: dict[str, datetime] = {}
        self._queue: list[tuple[datetime, str]] = []
        for request_id, expires_at in remembered:
            self._keep(request_id, expires_at)

    @property
    def remembered(self) -> dict[str, datetime]:
        """What a restart must not forget: request ids and when each one's command expires."""
        return dict(self._ends)

    def first_use(self, request_id: str, expires_at: datetime, now: datetime) -> bool:
        """Whether `request_id` is new; from now on it is not. Times know their offset."""
        while self._queue and expired(self._queue[0][0], now):
            del self._ends[heappop(self._queue)[1]]
        if request_id in self._ends:
            return False
        self._keep(request_id, expires_at)
        return True

    def _keep(self, request_id: str, expires_at: datetime) -> None:
        self._ends[request_id] = expires_at
        heappush(self._queue, (expires_at, request_id))


class Authenticity(StrEnum):
    """What an `Authenticator` finds out about a command."""

    GENUINE = "genuine"
    UNAUTHORIZED = "unauthorized"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    """Genuine, but taken before. Brokers also deliver twice: it is not acted on again, and no response may say that the
    first one failed."""


class Authenticator:
    """Judges commands by signature, age and request id.

    `keys`: api_key → api_secret. Without any, nothing need be signed and only the age counts.
    """

    def __init__(self, keys: Mapping[str, str], nonces: NonceMemory) -> None:
        self._keys = keys
        self.nonces = nonces

    def judge(self, topic: str, payload: bytes, meta: CommandMeta | None, now: datetime) -> Authenticity:
        """Judge what came on `topic`; `meta` is the one that `decode_command` read from `payload`."""
        expires_at = parse_time(meta.expires_at) if meta and meta.expires_at else None
        if self._keys and (expires_at is None or not verified(topic, payload, self._keys)):
            return Authenticity.UNAUTHORIZED
        if expires_at is not None and expired(expires_at, now):
            return Authenticity.EXPIRED
        if self._keys and meta and expires_at:
            fresh = self.nonces.first_use(meta.request_id, expires_at, now)
            return Authenticity.GENUINE if fresh else Authenticity.REPLAYED
        return Authenticity.GENUINE
