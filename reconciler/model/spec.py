"""What one strategy file says. Values only; reading files is `sources`, defaults are `desired`."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from reconciler.errors import Location

Value: TypeAlias = Any
"""A JSON value of a strategy's config. Numbers are int or Decimal, never float: 0.10 equals 0.1, exactly."""

Config: TypeAlias = dict[str, Any]
"""Hummingbot's own field names to `Value`s in Hummingbot's own units."""

Identity: TypeAlias = tuple[str, str, str]
"""What never changes in place: strategy type, exchange and trading pair."""

IDENTITY_FIELDS = ("strategy_type", "exchange", "trading_pair")
"""The fields of an `Identity`, in its order."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a strategy, target, agent or account may be called: it becomes a topic level and a folder."""

ROOT = re.compile(rf"{NAME.pattern}(/{NAME.pattern}){{0,3}}")
"""What the root of a target's topics may be called: one to four levels, each a name."""

DEFAULT_TARGET = "default"
DEFAULT_ACCOUNT = "default"


def is_name(text: str) -> bool:
    """Say whether `text` may name a strategy."""
    return NAME.fullmatch(text) is not None


def is_root(text: str) -> bool:
    """Say whether `text` may be the root of all topics."""
    return ROOT.fullmatch(text) is not None


class Wish(StrEnum):
    """The state that Git wants a strategy to be in."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Key(NamedTuple):
    """What identifies a strategy: names are unique within a target."""

    target: str
    name: str

    def __str__(self) -> str:
        return self.name if self.target == DEFAULT_TARGET else f"{self.target}/{self.name}"


class Suspend(msgspec.Struct, frozen=True, gc=False):
    """No steps for this strategy; `until` is an RFC 3339 time or None for "until removed"."""

    reason: str
    until: str | None = None


class StrategySpec(msgspec.Struct, frozen=True, gc=False):
    """One strategy as Git wants it, all defaults filled in and units converted."""

    name: str
    strategy_type: str
    exchange: str
    trading_pair: str
    config: Config
    state: Wish = Wish.RUNNING
    target: str = DEFAULT_TARGET
    account: str = DEFAULT_ACCOUNT
    labels: dict[str, str] = {}
    description: str = ""
    owner: str = ""
    wave: int = 0
    protect: bool = False
    suspend: Suspend | None = None
    ignore_drift: tuple[str, ...] = ()
    adopt: bool = False
    location: Location = Location("")

    @property
    def key(self) -> Key:
        return Key(self.target, self.name)

    @property
    def identity(self) -> Identity:
        return (self.strategy_type, self.exchange, self.trading_pair)
