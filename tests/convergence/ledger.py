"""What really happened to bots, kept on their side, and what was due: the strict account of the main promise.

Rule 1: every effective start, stop, create and delete needs a cause of its own: a commit, a change by hand, bots
that died with their machine, a person's `retry`. A message lost or doubled, a process killed, a broker restarted
is none.
Rule 2: causes that were not needed lapse when the bots are as Git says (`close`): from then on nothing is due.
Rule 3: two bots of one name are never up at once.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Effect(StrEnum):
    CREATE = "create"
    START = "start"
    STOP = "stop"
    DELETE = "delete"


EVERY = tuple(Effect)


class Ledger:
    """`exist`: strategies that there are. `up`: bots that are up. `killed`: bots that stopped themselves with an error, and stay so until a person acts.

    `wrong`: what broke the promise, in words; empty as long as it holds.
    """

    def __init__(self) -> None:
        self.exist: set[str] = set()
        self.up: set[str] = set()
        self.killed: set[str] = set()
        self.pardoned: set[str] = set()
        self.starts: Counter[str] = Counter()
        self.effects: list[str] = []
        self.wrong: list[str] = []
        self._due: Counter[tuple[str, Effect]] = Counter()
        self._touched: set[str] = set()

    # What gives cause.

    def allow(self, name: str, *effects: Effect) -> None:
        """Something happened that calls for each of `effects` once."""
        self._touched.add(name)
        for effect in effects:
            self._due[name, effect] += 1

    def pardon(self, name: str) -> None:
        """A person acted on `name`: if its bot stopped itself, it may start again."""
        if name in self.killed and name not in self.pardoned:
            self.pardoned.add(name)
            self.allow(name, Effect.START)

    def touched(self, name: str) -> bool:
        """Whether anything called for a change of `name` since all was as Git says."""
        return name in self._touched

    def close(self) -> None:
        """All is as Git says: nothing is due any more."""
        self._due.clear()
        self._touched.clear()
        self.pardoned.clear()

    # What happens.

    def happened(self, effect: Effect, name: str) -> None:
        self.effects.append(f"{effect} {name}")
        if not self._due[name, effect]:
            self.wrong.append(f"a {effect} of {name} that nothing called for, after {self.effects[-8:]}")
        else:
            self._due[name, effect] -= 1

    def begins(self, name: str) -> None:
        """A runner is asked to start a bot."""
        if name in self.up:
            self.wrong.append(f"a start of {name}, which is up, after {self.effects[-8:]}")

    def came_up(self, name: str) -> None:
        self.up.add(name)
        self.starts[name] += 1
        self.killed.discard(name)
        self.pardoned.discard(name)
        self.happened(Effect.START, name)

    def was_stopped(self, name: str) -> None:
        """By a command; one of a bot that is not up has no effect."""
        if name in self.up:
            self.up.discard(name)
            self.happened(Effect.STOP, name)

    def fell(self, name: str) -> None:
        """It is not up any more, by other means than a command: it is due to come back."""
        if name in self.up:
            self.up.discard(name)
            self.allow(name, Effect.START)

    def stopped_itself(self, name: str) -> None:
        """With an error, as a kill switch does: not due to come back, unless a change was under way already."""
        if name in self.up:
            self.up.discard(name)
            self.killed.add(name)
            if self.touched(name):
                self.pardon(name)

    def was_created(self, name: str) -> None:
        self.exist.add(name)
        self.happened(Effect.CREATE, name)

    def was_deleted(self, name: str) -> None:
        self._is_gone(name)
        self.happened(Effect.DELETE, name)

    def lost_everything(self) -> None:
        """The machine is gone, with all that there was: what is wanted is due to come back."""
        for name in list(self.exist):
            self._is_gone(name)
            self.allow(name, Effect.CREATE, Effect.START)

    def _is_gone(self, name: str) -> None:
        for group in (self.exist, self.up, self.killed, self.pardoned):
            group.discard(name)
