"""
Text → the value of each key, and what it may be.

Rule 1: pure; which keys there are is `keys`' business, what references stand for `loading`'s.
Rule 2: a text that is no value of its key raises BadValue and nothing else.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

from reconciler.model.pair import PAIRS
from reconciler.model.spec import ROOT
from reconciler.settings.keys import BOUND, DURATIONS, NUMBER

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}

_CHOICES = {
    "on_invalid": ("reject", "skip"),
    "level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "profile": ("auto", "basic", "extended"),
    "exclusive_markets": ("off", "warning", "error"),
    "severity": ("warning", "error"),
}
"""By a key's last part."""

_CHANNELS = ("telegram", "discord")
_POSITIVE = {"interval", "step_timeout", "connect_timeout", "concurrency"}
_WORDS = {"allowed_exchanges", "allowed_strategy_types", "required_labels"}
"""By a key's last part."""


class _Form(NamedTuple):
    """How a text is written: `what` is wrong with one that is not so, with {!r} for that text."""

    pattern: re.Pattern[str]
    what: str
    fix: str


_DURATION = _Form(
    re.compile(r"\s*([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)?\s*"),
    "{!r} is not a time span",
    "write 500ms, 30s, 5m or 1h",
)
_WHOLE = _Form(
    re.compile(r"\s*[-+]?[0-9]{1,9}\s*"),
    "{!r} is not a whole number",
    "write a whole number, such as 3",
)
_AMOUNT = _Form(
    re.compile(rf"(?!-)(?=.*[1-9]){NUMBER}", re.ASCII),
    "{!r} is not a number above 0",
    "write a number above 0, such as 2.5",
)
_BOUND = _Form(BOUND, "{!r} is not a number", "write a number, such as 0.5, or 0.1% where a field takes it")
_WORD = _Form(
    re.compile(r"[A-Za-z0-9*][A-Za-z0-9._/*-]*", re.ASCII),
    "{!r} is not a name",
    "write plain names, such as [binance, kucoin]",
)

_FORMS = {
    "source.repository": _Form(
        re.compile(r"(?:(?i:https|ssh|file)://|(?!.*://)).*", re.ASCII | re.DOTALL),
        "the address has no supported scheme",
        "use one of https, ssh, file",
    ),
    "source.ref": _Form(
        re.compile(r"(?!-)[^ \t~^:?*\[\\]*"),
        "{!r} is not a branch, tag or commit",
        "write a name, such as main",
    ),
    "source.path": _Form(
        re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|\Z)).*", re.DOTALL),
        "{!r} leads out of the repository",
        "write a folder within it, such as strategies",
    ),
    "broker.url": _Form(
        re.compile(r"|(?:mqtt|mqtts|embedded|memory)(?::.*)?", re.DOTALL),
        "the address has no supported scheme",
        "begin with one of mqtt:, mqtts:, embedded:, memory:",
    ),
    "root": _Form(
        re.compile(rf"|{ROOT.pattern}"),
        "{!r} is not a root of topics",
        "write up to four names, such as hummingbot or desk/eu",
    ),
    "exchange": _Form(
        re.compile(r"[a-z0-9_*]+", re.ASCII),
        "{!r} is not an exchange",
        "write a connector's name, such as binance or binance*",
    ),
    "trading_pair": _Form(
        PAIRS,
        "{!r} is not a trading pair",
        "write one such as BTC-USDT, *-USDT or *",
    ),
    "field": _Form(
        re.compile(r"config(\.[A-Za-z0-9_]+)+", re.ASCII),
        "{!r} is not a field of config",
        "write config. and its name, such as config.order_amount",
    ),
    "max_leverage": _AMOUNT,
    "base": _AMOUNT,
    "quote": _AMOUNT,
    "min": _BOUND,
    "max": _BOUND,
}
"""By key, or by its last part. An empty text is refused in other words where the key has no table."""


class BadValue(ValueError):
    """A value that its key cannot have; `fix` says what it can."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def parse(key: str, text: str, default: Any) -> Any:  # noqa: ANN401  (the type follows from the key)
    """Read `text` as `key`'s kind, and check what it may be. `default`: of `known_keys`.

    Raises:
        BadValue: it cannot be that.
    """
    last = key.rpartition(".")[2]
    form = _FORMS.get(key) or _FORMS.get(last)
    if form is not None:
        _matched(text, form)
    value = _value(last, text, default)
    if last in _CHOICES and value not in _CHOICES[last]:
        raise BadValue(f"{text!r} is not allowed", f"write one of {', '.join(_CHOICES[last])}")
    if last in _POSITIVE and value <= 0:
        raise BadValue(f"{value} is not above 0", "write a number above 0")
    if last == "max_change_fraction" and not 0 <= value <= 1:
        raise BadValue(f"{value} is not a fraction", "write a number from 0 to 1; 0.3 is 30 %")
    if last == "channels":
        for channel in value:
            if channel not in _CHANNELS:
                raise BadValue(f"there is no channel {channel!r}", f"write some of {', '.join(_CHANNELS)}")
    return value


def _value(last: str, text: str, default: Any) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912  (one case a kind)
    """`text` as the kind that a key's last part names, or else as one of `default`'s type."""
    if last in DURATIONS:
        found = _matched(text, _DURATION)
        return float(found[1]) * _SECONDS[found[2]]
    if _FORMS.get(last) is _AMOUNT:
        return Decimal(text)
    if last in {"maker", "taker"}:  # in percent; without a unit 0.001 and 0.1 % could be confused
        fee = BOUND.fullmatch(text)
        if fee is None or (fee[2] is None and Decimal(fee[1])):
            raise BadValue(f"{text!r} is not a fee", "write it with its unit, such as 0.1% or 10bps")
        return Decimal(fee[1]).scaleb(-2 if fee[2] == "bps" else 0)
    match default:
        case bool():  # before int, since Python's True is one
            if text.lower() not in _TRUE | _FALSE:
                raise BadValue(f"{text!r} is neither true nor false", "write true or false")
            return text.lower() in _TRUE
        case int():
            _matched(text, _WHOLE)
            if int(text) < 0:
                raise BadValue(f"{text} is below 0", "write 0 or more")
            return int(text)
        case float():
            try:
                return float(text)
            except ValueError:
                raise BadValue(f"{text!r} is not a number", "write a number, such as 0.3") from None
        case tuple():
            words = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
            if last in _WORDS:
                if not words:
                    raise BadValue("names nothing", "name one at least, or leave the key out")
                for word in words:
                    _matched(word, _WORD)
            return words
    if not text:
        raise BadValue("is empty", "write a value, or leave the key out")
    return text


def _matched(text: str, form: _Form) -> re.Match[str]:
    found = form.pattern.fullmatch(text)
    if found is None:
        raise BadValue(form.what.format(text), form.fix)
    return found
