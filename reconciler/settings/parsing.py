"""
Text → value: each key's kind, and what it may be. Pure.

Rule 1: a key's kind follows from its name (durations, amounts and other words of the policy), else from the type of
its default.
Rule 2: a value that its key cannot have raises BadValue with the fix; the caller knows the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from reconciler.errors import Location
from reconciler.model.spec import is_root
from reconciler.settings.keys import is_duration


class BadValue(ValueError):
    """A value that its key cannot have; `fix` says what it can."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


class Given(msgspec.Struct, frozen=True):
    """A value as somebody wrote it, and where: `origin` for people, `key_place` for an unknown key."""

    text: str
    origin: str
    place: Location
    key_place: Location
    is_section: bool = False


class _Form(NamedTuple):
    """How a key of the policy is written. `what`: what a text of another form is not."""

    pattern: re.Pattern[str]
    what: str
    fix: str


_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?"

BOUND = re.compile(rf"({_NUMBER}) ?(%|bps)?", re.ASCII)
"""A number with or without a unit: both are groups."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_WHOLE = re.compile(r"[-+]?[0-9]{1,9}", re.ASCII)
_AMOUNT = re.compile(_NUMBER, re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._/*-]*", re.ASCII)

_AMOUNTS = {"max_leverage", "base", "quote"}
_FEES = {"maker", "taker"}
_LISTS_OF_WORDS = {"allowed_exchanges", "allowed_strategy_types", "required_labels"}
_A_BOUND = _Form(BOUND, "is not a number", "write a number, such as 0.5, or 0.1% where a field takes it")
_FORMS = {
    "exchange": _Form(
        re.compile(r"[a-z0-9_*]+", re.ASCII),
        "is no exchange",
        "write a connector's name, such as binance or binance*",
    ),
    "trading_pair": _Form(
        re.compile(r"\*|[A-Z0-9._*]+-[A-Z0-9._*]+", re.ASCII),
        "is no trading pair",
        "write one such as BTC-USDT, *-USDT or *",
    ),
    "field": _Form(
        re.compile(r"config(\.[A-Za-z0-9_]+)+", re.ASCII),
        "is no field of config",
        "write config. and its name, such as config.order_amount",
    ),
    "min": _A_BOUND,
    "max": _A_BOUND,
}
"""Kinds of the policy's keys, by the key's last part."""

_CHOICES = {
    "sync.on_invalid": ("reject", "skip"),
    "notifications.level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "profile": ("auto", "basic", "extended"),
    "policy.exclusive_markets": ("off", "warning", "error"),
    "severity": ("warning", "error"),
}
"""By key, or by its last part."""

_CHANNELS = ("telegram", "discord")
_BROKERS = ("mqtt", "mqtts", "embedded", "memory")
_REPOSITORIES = ("https", "ssh", "file")


class _Limit(NamedTuple):
    """What a value of the right kind must keep to besides. `what`: said of one that does not."""

    holds: Callable[[Any], bool]
    what: str
    fix: str


_POSITIVE = _Limit(lambda value: value > 0, "{value} is not above 0", "write a number above 0")
_LIMITS = {
    "source.repository": _Limit(
        lambda value: "://" not in value or value.partition("://")[0].lower() in _REPOSITORIES,
        "the address has no scheme that we speak",
        f"use one of {', '.join(_REPOSITORIES)}",
    ),
    "source.ref": _Limit(
        lambda value: not value.startswith("-") and set(value).isdisjoint(" \t~^:?*[\\"),
        "{value!r} is no branch, tag or commit",
        "write a name, such as main",
    ),
    "source.path": _Limit(
        lambda value: not value.startswith("/") and ".." not in value.split("/"),
        "{value!r} leads out of the repository",
        "write a folder within it, such as strategies",
    ),
    "broker.url": _Limit(
        lambda value: value.partition(":")[0] in _BROKERS,
        "the address has no scheme that we know",
        f"begin with one of {', '.join(f'{scheme}:' for scheme in _BROKERS)}",
    ),
    "root": _Limit(
        is_root, "{value!r} is no root of topics", "write up to four names, such as hummingbot or desk/eu"
    ),
    "sync.max_change_fraction": _Limit(
        lambda value: 0 <= value <= 1, "{value} is no fraction", "write a number from 0 to 1; 0.3 is 30 %"
    ),
    "sync.concurrency": _POSITIVE,
    "interval": _POSITIVE,
    "step_timeout": _POSITIVE,
    "connect_timeout": _POSITIVE,
}
"""By key, or by its last part."""


def parse(key: str, text: str, default: Any) -> Any:  # noqa: ANN401  (the type follows from the key)
    """Read `text` as `key`'s kind, and check what it may be.

    Raises:
        BadValue: it cannot be that.
    """
    last = key.rpartition(".")[2]
    if is_duration(key):
        value: Any = _duration(text)
    elif key.startswith("policy.") and (last in _FORMS or last in _AMOUNTS | _FEES | _LISTS_OF_WORDS):
        value = _policy_value(last, text)
    else:
        value = _value_like(default, text)
    choices = _CHOICES.get(key) or _CHOICES.get(last)
    if choices is not None and value not in choices:
        raise BadValue(f"{text!r} is not allowed", f"write one of {', '.join(choices)}")
    limit = _LIMITS.get(key) or _LIMITS.get(last)
    if limit is not None and not limit.holds(value):
        raise BadValue(limit.what.format(value=value), limit.fix)
    return value


def is_address(repository: str) -> bool:
    """Whether `source.repository` is an address rather than a folder."""
    return re.match(r"[a-z+]+://|[\w.-]+@[\w.-]+:", repository, re.IGNORECASE) is not None


def _duration(text: str) -> float:
    """Seconds of a time span; without a unit it is in seconds."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BadValue(f"{text!r} is not a time span", "write 500ms, 30s, 5m or 1h")
    return float(found[1]) * _SECONDS[found[2]]


def _value_like(default: Any, text: str) -> Any:  # noqa: ANN401
    """A value of the default's type; a tuple is one of channels."""
    match default:
        case bool():
            if text.lower() not in _TRUE | _FALSE:
                raise BadValue(f"{text!r} is neither true nor false", "write true or false")
            return text.lower() in _TRUE
        case int():
            if _WHOLE.fullmatch(text.strip()) is None:
                raise BadValue(f"{text!r} is not a whole number", "write a whole number, such as 3")
            if int(text) < 0:
                raise BadValue(f"{text} is below 0", "write 0 or more")
            return int(text)
        case float():
            try:
                return float(text)
            except ValueError:
                raise BadValue(f"{text!r} is not a number", "write a number, such as 0.3") from None
        case tuple():
            return _channels(text)
    if not text:
        raise BadValue("is empty", "write a value, or leave the key out")
    return text


def _channels(text: str) -> tuple[str, ...]:
    channels = _listed(text)
    for channel in channels:
        if channel not in _CHANNELS:
            raise BadValue(f"there is no channel {channel!r}", f"write some of {', '.join(_CHANNELS)}")
    return channels


def _policy_value(last: str, text: str) -> Any:  # noqa: ANN401
    """A value of a kind that only the policy has. Fees are in percent."""
    if last in _AMOUNTS:
        if _AMOUNT.fullmatch(text) is None or Decimal(text) <= 0:
            raise BadValue(f"{text!r} is not a number above 0", "write a number above 0, such as 2.5")
        return Decimal(text)
    if last in _FEES:
        found = BOUND.fullmatch(text)
        if found is None or (found[2] is None and Decimal(found[1])):  # nobody could tell 0.001 from 0.1 %
            raise BadValue(f"{text!r} is no fee", "write it with its unit, such as 0.1% or 10bps")
        return Decimal(found[1]).scaleb(-2 if found[2] == "bps" else 0)
    if last in _LISTS_OF_WORDS:
        words = _listed(text)
        if not words:
            raise BadValue("names nothing", "name one at least, or leave the key out")
        for word in words:
            if _WORD.fullmatch(word) is None:
                raise BadValue(f"{word!r} is no name", "write plain names, such as [binance, kucoin]")
        return words
    form = _FORMS[last]
    if form.pattern.fullmatch(text) is None:
        raise BadValue(f"{text!r} {form.what}", form.fix)
    return text


def _listed(text: str) -> tuple[str, ...]:
    """What stands between commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
