"""
Faults on request: for trying out what a controller does about them, and for tests.

An agent without any fault set behaves; all chances are drawn from the generator that is passed in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from reconciler.agent.model import Strategy
from reconciler.agent.responses import Refusal
from reconciler.errors import CommandRejected, SettingsError
from reconciler.model.spec import Config
from reconciler.model.state import Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Command

_OVERTAKEN_S = 0.1
"""A reordered answer waits up to this long while later ones overtake it."""


class Faults(msgspec.Struct, kw_only=True):
    """What goes wrong; may be changed while the agent runs.

    Chances, 0 to 1: `lose`, `double` and `reorder` an answer; `silent`: hold a status back until the next
    heartbeat. `delay_s`: longest delay of an answer. `drift`, `crash`: chance that a running strategy is
    changed by hand, or crashes, in a second. Fields of config: `refuse` those with an error, `ignore` those
    with a success.
    """

    lose: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    silent: float = 0.0
    delay_s: float = 0.0
    drift: float = 0.0
    crash: float = 0.0
    refuse: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()


_FIELDS = ("refuse", "ignore")
_LENGTHS = ("delay_s",)


def parse_faults(given: Mapping[str, str]) -> Faults:
    """Read faults as a command line has them: `{"lose": "0.2", "delay_s": "1.5", "refuse": "bid_spread,leverage"}`.

    Raises:
        SettingsError: there is no such fault, or its value is not what it takes.
    """
    return Faults(**{name: _parse(name, text) for name, text in given.items()})


def _parse(name: str, text: str) -> Any:  # noqa: ANN401  (each fault has its own type)
    if name not in Faults.__struct_fields__:
        known = ", ".join(sorted(Faults.__struct_fields__))
        raise SettingsError(f"there is no fault {name!r}", fix=f"one of {known}")
    if name in _FIELDS:
        return frozenset(filter(None, (field.strip() for field in text.split(","))))
    highest = float("inf") if name in _LENGTHS else 1.0
    takes = "a number of seconds" if name in _LENGTHS else "a chance from 0 to 1"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= highest or value == float("inf"):
        raise SettingsError(f"fault {name}: {text!r} is not {takes}", fix=f"for example {name}=0.2")
    return value


class Meddler:
    """Faults of the agent's own decisions and messages."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self.faults = faults
        self._rng = rng

    def objects(self, command: Command) -> None:
        """Refuse a command that sets a field to be refused.

        Raises:
            Refusal: INVALID_CONFIG, as a real one would.
        """
        for field in sorted(self.faults.refuse and self.faults.refuse & (command.config or {}).keys()):
            raise Refusal(ErrorCode.INVALID_CONFIG, "refused on request (fault)", field=field)

    def tampers(self, before: Strategy | None, after: Strategy) -> Strategy:
        """What really becomes of a strategy: fields to be ignored stay as they were."""
        if not self.faults.ignore or (before is not None and before.config == after.config):
            return after
        held = before.config if before is not None else {}
        kept = {name: held[name] for name in self.faults.ignore & held.keys()}
        taken = {name: value for name, value in after.config.items() if name not in self.faults.ignore}
        return after.configured({**taken, **kept})

    def delays_s(self) -> list[float]:
        """When to send one answer, in seconds from now: not at all, once or twice."""
        faults, chance = self.faults, self._rng.random
        if chance() < faults.lose:
            return []
        copies = 2 if chance() < faults.double else 1
        late_s = _OVERTAKEN_S * chance() if chance() < faults.reorder else 0.0
        return [late_s + faults.delay_s * chance() for _ in range(copies)]

    def withholds(self) -> bool:
        """Whether to hold a status back until the next heartbeat."""
        return self._rng.random() < self.faults.silent


class Prey(Protocol):
    """A runner whose bots can be made to fail (the simulated one)."""

    def crash(self, name: str) -> None: ...
    def stop_by_hand(self, name: str) -> None: ...
    def configure_by_hand(self, name: str, config: Config) -> None: ...


def torment(strategies: Mapping[str, Strategy], prey: Prey, faults: Faults, rng: random.Random) -> None:
    """One second's worth of crashes and drift among the strategies that run."""
    for strategy in list(strategies.values()) if faults.crash or faults.drift else ():
        if strategy.state is not Lifecycle.RUNNING or strategy.doing is not None:
            continue
        if rng.random() < faults.crash:
            _attempt(prey.crash, strategy.name)
        elif rng.random() < faults.drift:
            drift(strategy, prey, rng)


def drift(strategy: Strategy, prey: Prey, rng: random.Random) -> None:
    """Change a strategy as if by hand: stop it, or give it another value for one of its numbers."""
    numbers = sorted(name for name, value in strategy.config.items() if _is_number(value))
    if not numbers or rng.random() < 0.5:  # noqa: PLR2004  (one or the other)
        _attempt(prey.stop_by_hand, strategy.name)
        return
    field = rng.choice(numbers)
    config = {**strategy.config, field: _nudged(strategy.config[field])}
    _attempt(lambda name: prey.configure_by_hand(name, config), strategy.name)


def _nudged(value: int | Decimal) -> int | Decimal:
    """Another number of the same kind, near by."""
    if isinstance(value, int):
        return value + 1
    return value * Decimal("1.1") or Decimal("0.01")


def _attempt(harm: Callable[[str], None], name: str) -> None:
    """Do `harm` to a bot, unless it is not up just now."""
    try:
        harm(name)
    except CommandRejected:
        return


def _is_number(value: Any) -> bool:  # noqa: ANN401  (any value of a config)
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
