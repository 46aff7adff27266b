"""What a request to the exchange says: its parameters read, its sender known by key and signature.

Signed are, on REST, the query and the body as they were sent, less the signature; on the WebSocket API the
parameters in alphabetical order. Source: Binance's documentation of request security.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from tests.exchange.accounts import Account, Accounts
from tests.exchange.refusals import BAD_SIGNATURE, STALE, Refused, missing

T = TypeVar("T")

RECV_WINDOW_MS = 60_000
"""The widest window that Binance allows: a busy machine may hold a request up for that long."""


class Operation(StrEnum):
    """What requests are for; tests name what they refuse or delay by these."""

    ANY = "any"
    PING = "ping"
    TIME = "time"
    PAIRS = "pairs"
    BOOK = "book"
    TICKER = "ticker"
    PLACE = "place"
    CANCEL = "cancel"
    ORDER = "order"
    ORDERS = "orders"
    FILLS = "fills"
    BALANCES = "balances"
    SUBSCRIBE = "subscribe"
    POSITIONS = "positions"
    SETTINGS = "settings"
    FUNDING = "funding"


class Sent(msgspec.Struct, frozen=True):
    """A request as it came: `query` and `body` raw, `api_key` from its header."""

    query: str = ""
    body: str = ""
    api_key: str = ""

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query) + parse_qsl(self.body))


class Call(msgspec.Struct, frozen=True):
    """A request that may be carried out. `account`: who asks, None where anybody may."""

    params: Mapping[str, str]
    account: Account | None = None

    @property
    def owner(self) -> Account:
        """Who asks for what only an owner may."""
        assert self.account is not None, "an endpoint that needs an owner has to be marked as signed"
        return self.account

    def read(self, kind: type[T]) -> T:
        """The parameters as a structure.

        Raises:
            Refused: one is missing or malformed; it is named.
        """
        try:
            return msgspec.convert(dict(self.params), kind, strict=False)
        except msgspec.ValidationError as error:
            raise Refused(missing(_field_of(str(error)))) from None


class Access(StrEnum):
    """Who may use an endpoint: anybody, who has a key, who signs as well."""

    PUBLIC = "public"
    KEY = "key"
    SIGNED = "signed"


class Endpoint(msgspec.Struct, frozen=True):
    """One method and path, what it is for, and the function that answers with what becomes JSON."""

    method: str
    path: str
    operation: Operation
    work: Callable[[Call], object]
    access: Access = Access.PUBLIC


def admit(endpoint: Endpoint, sent: Sent, accounts: Accounts, now_ms: int) -> Call:
    """Let a request in.

    Raises:
        Refused: its key is unknown, or its time or signature is wrong.
    """
    if endpoint.access is Access.PUBLIC:
        return Call(sent.params)
    account = accounts.of_key(sent.api_key)
    if endpoint.access is Access.SIGNED:
        _check_time(sent.params, now_ms)
        _check_signature(account, _unsigned(sent.query) + _unsigned(sent.body), sent.params)
    return Call(sent.params, account)


def admit_subscriber(params: Mapping[str, object], accounts: Accounts, now_ms: int) -> Account:
    """Let in who asks for the user stream over the WebSocket API.

    Raises:
        Refused: as for `admit`.
    """
    said = {key: str(value) for key, value in params.items()}
    account = accounts.of_key(said.get("apiKey", ""))
    _check_time(said, now_ms)
    payload = "&".join(f"{key}={value}" for key, value in sorted(said.items()) if key != "signature")
    _check_signature(account, payload, said)
    return account


def signature(secret: str, payload: str) -> str:
    """Sign as Binance's clients do."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def _check_time(params: Mapping[str, str], now_ms: int) -> None:
    stamp = params.get("timestamp", "")
    if not stamp.isdecimal():
        raise Refused(missing("timestamp"))
    if abs(now_ms - int(stamp)) > RECV_WINDOW_MS:
        raise Refused(STALE)


def _check_signature(account: Account, payload: str, params: Mapping[str, str]) -> None:
    if not hmac.compare_digest(signature(account.api_secret, payload), params.get("signature", "")):
        raise Refused(BAD_SIGNATURE)


def _unsigned(raw: str) -> str:
    return "&".join(part for part in raw.split("&") if not part.startswith("signature="))


def _field_of(error: str) -> str:
    """The field that a message of msgspec is about."""
    return (
        error.rpartition("$.")[2].rstrip("`") if "$." in error else error.partition("`")[2].partition("`")[0]
    )
