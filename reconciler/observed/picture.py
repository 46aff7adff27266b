"""
All that was received over one connection: strategies and agents, and what of it can be believed. Pure.

A status stands in `current` if its agent announced the session that it is of, or if a Basic peer sent it. All
others wait in `waiting`: they show that a strategy may exist, and neither that it does nor how it is. They
are believed when their session is announced, and refuted when everything that is believed is proved complete.
"""

from __future__ import annotations

from sys import intern
from typing import Any

import msgspec

from reconciler.model.change import STATE_AFTER, Op, Step
from reconciler.model.state import Lifecycle, ObservedStrategy
from reconciler.observed.agent import ObservedAgent
from reconciler.protocol.messages import MalformedMessage, Status
from reconciler.protocol.reports import StatusReport


class Picture:
    """What one connection showed. `basic`: agents are taken for Basic peers (`profile: basic`).

    `unreadable`: strategies that were named with a state that we do not know. `snapshot`: a Basic peer's list
    of all strategies is in force.
    """

    def __init__(self, *, basic: bool) -> None:
        self.current: dict[str, ObservedStrategy] = {}
        self.waiting: dict[str, ObservedStrategy] = {}
        self.unreadable: set[str] = set()
        self.agents: dict[str, ObservedAgent] = {}
        self.snapshot = False
        self._basic = basic
        self._believed: dict[str, ObservedStrategy] | None = None

    @property
    def names(self) -> set[str]:
        """Every strategy of which a message was received."""
        return {*self.current, *self.waiting, *self.unreadable}

    # Strategies.

    def take(self, status: Status, level: str, retain: bool, now: float) -> bool:
        """Take a status that came on `{root}/status` (`level` empty) or below it; True if it is news.

        Raises:
            MalformedMessage: an agent's status on another strategy's topic.
        """
        if self._basic or not status.extended:
            return self._take_basic(status, now)
        if not level:
            return False  # the copy for Basic listeners; the retained one has a topic of its own
        if level != status.strategy_name:
            raise MalformedMessage("strategy_name is not the one of the topic - at `$.strategy_name`")
        return self._take_extended(status, retain, now)

    def _take_basic(self, status: Status, now: float) -> bool:
        held = self.current.get(status.strategy_name)
        an_agents = held is not None and held.agent and not self._basic and self.believes(held)
        if an_agents or _is_older(status, held):
            return False
        return self.put(reported(status, now))

    def _take_extended(self, status: Status, retain: bool, now: float) -> bool:
        agent = self.agent(status.agent or "")
        session = status.session or ""
        if not retain:
            agent.on_heartbeat(session, now)
        if agent.is_past(session):
            return False
        in_force = session == agent.session
        shelf = self.current if in_force else self.waiting
        if _is_older(status, shelf.get(status.strategy_name)):
            return False
        if in_force:
            agent.follow_status(status.seq, retain=retain)
            return self.put(reported(status, now))
        self.waiting[status.strategy_name] = reported(status, now)
        return True

    def put(self, new: ObservedStrategy) -> bool:
        """Hold `new` as the newest of its strategy; True if it says something else than before."""
        held = self.current.get(new.name)
        if held is not None and held.agent != new.agent:
            self._disown(held)
        if new.agent and not self._basic:
            agent = self.agent(new.agent)
            agent.hold(new.name)
            waiting = self.waiting.get(new.name)
            if waiting is not None and waiting.session != agent.rival:
                del self.waiting[new.name]
        self.unreadable.discard(new.name)
        self.current[new.name] = new
        self._believed = None
        return held is None or not says_the_same(new, held)

    def _disown(self, held: ObservedStrategy) -> None:
        if held.agent in self.agents:
            self.agents[held.agent].drop(held.name)

    def forget(self, name: str) -> bool:
        """Forget a strategy that was deleted; True if it was known before."""
        known = name in self.current or name in self.waiting or name in self.unreadable
        held = self.current.pop(name, None)
        if held is not None:
            self._disown(held)
        self.waiting.pop(name, None)
        self.unreadable.discard(name)
        self._believed = None
        return known

    def cannot_read(self, name: str) -> bool:
        """Note that `name` exists in a state that we do not know; True if that is news."""
        known = name in self.unreadable
        self.forget(name)
        self.unreadable.add(name)
        return not known

    def take_snapshot(self, report: StatusReport) -> list[str]:
        """Take a Basic peer's list for the whole truth, and forget what it does not name.

        What agents said stays: it is theirs to take back.
        """
        self.snapshot = report.complete
        if not report.complete:
            return []
        listed = {status.strategy_name for status in report.statuses} | set(report.unreadable)
        basic = {name for name, held in self.current.items() if self._basic or not held.agent}
        gone = [name for name in basic | self.unreadable if name not in listed]
        for name in gone:
            self.forget(name)
        return gone

    # Agents.

    def agent(self, name: str) -> ObservedAgent:
        """The agent of that name, known from now on."""
        if name not in self.agents:
            self.agents[name] = ObservedAgent(name)
        return self.agents[name]

    def change_session(self, agent: ObservedAgent) -> set[str]:
        """Believe what the announced session said before its birth came, and nothing that others said.

        Returns the strategies whose believability changed.
        """
        ended = [h for h in self.current.values() if h.agent == agent.name and h.session != agent.session]
        ahead = [h for h in self.waiting.values() if h.agent == agent.name and h.session == agent.session]
        for held in ended:
            self.waiting[held.name] = self.current.pop(held.name)
        for held in ahead:
            self.put(held)
        self.distrust()
        return {held.name for held in (*ended, *ahead)}

    def clear(self, agent: ObservedAgent, *, presence: bool) -> set[str]:
        """Somebody cleared an agent's presence, or else its inventory; returns what can no longer be believed."""
        if not presence:
            agent.clear_inventory()
        else:
            agent.retire()
        changed = self.change_session(agent)
        if agent.unheard_of:
            del self.agents[agent.name]
        return changed

    def distrust(self) -> None:
        """Work out again what can be believed: an agent came or went."""
        self._believed = None

    # What can be believed.

    def believes(self, held: ObservedStrategy) -> bool:
        """Whether a status of `current` can be believed now: a Basic peer's, or that of an agent online."""
        if not held.agent or self._basic:
            return True
        agent = self.agents.get(held.agent)
        return agent is not None and agent.online

    def believed(self) -> dict[str, ObservedStrategy]:
        """All that can be believed; a value of its own that later messages do not change."""
        if self._believed is None:
            trusted = all(agent.online for agent in self.agents.values())
            self._believed = (
                self.current.copy()
                if trusted
                else {name: held for name, held in self.current.items() if self.believes(held)}
            )
        return self._believed

    def unbelievable(self, *, complete: bool) -> frozenset[str]:
        """Known strategies that may or may not exist; `complete` refutes those that wait."""
        believed = self.believed()
        doubtful = set(self.unreadable)
        if not complete:
            doubtful.update(name for name in self.waiting if name not in believed)
        if len(believed) != len(self.current):
            doubtful.update(name for name in self.current if name not in believed)
        return frozenset(doubtful)

    def agents_complete(self, now: float, *, exact: bool) -> bool:
        """Whether all strategies of all agents are held; False if there is a trace of one that is silent."""
        return (
            bool(self.agents)
            and all(agent.complete(now, exact=exact) for agent in self.agents.values())
            and all(held.agent in self.agents for held in self.waiting.values())
        )


def _is_older(status: Status, held: ObservedStrategy | None) -> bool:
    """Whether `held` is of the same session and not older. Sessions themselves have no order."""
    return (
        held is not None
        and bool(held.session)
        and (held.agent, held.session) == (status.agent, status.session)
        and held.seq >= status.seq
    )


# One message about one strategy → ObservedStrategy: what it says, and nothing that it does not.


class _Origin(msgspec.Struct, gc=False):
    """As much of a status as says whose it is; what is wrong with any of it has to be looked at whole."""

    strategy_name: str
    state: Lifecycle
    agent: str = ""
    session: str = ""
    seq: int = 0


_origin = msgspec.json.Decoder(_Origin)


def is_copy(payload: bytes) -> bool:
    """Whether what came on `{root}/status` is an agent's copy, for Basic listeners, of a status that has a topic
    of its own. Decided without reading all of it: while a fleet is created that is a third of all messages.
    """
    try:
        origin = _origin.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return bool(origin.agent and origin.session)


def reported(status: Status, now: float) -> ObservedStrategy:
    """What a status message says. Strings that a whole fleet shares are kept once."""
    meta = status.meta
    return ObservedStrategy(
        status.strategy_name,
        status.state,
        _shared(status.strategy_type),
        _shared(status.exchange),
        _shared(status.trading_pair),
        _shared(status.account),
        status.config,
        str(status.strategy_id) if isinstance(status.strategy_id, str | int) else None,
        _display_text(status.message) or "",
        status.spec_hash,
        _shared(meta.owner) if meta else None,
        _shared(status.agent),
        _shared(status.session),
        status.seq,
        _display_text(status.observed_at) or _display_text(status.timestamp),
        now,
        status.conditions,
    )


def _shared(text: str | None) -> str | None:
    return intern(text) if text else None


def _display_text(value: Any) -> str | None:  # noqa: ANN401  (a display field of somebody else's message)
    return value if isinstance(value, str) else None


def says_the_same(new: ObservedStrategy, old: ObservedStrategy) -> bool:
    """Whether `new` differs from `old` only in when it was said."""
    return new == msgspec.structs.replace(
        old, seq=new.seq, session=new.session, observed_at=new.observed_at, seen_at=new.seen_at
    )


def after_success(
    name: str, step: Step, before: ObservedStrategy | None, now: float
) -> ObservedStrategy | None:
    """What `step` leaves behind when a Basic peer answered it with success; None if nothing can be said.

    A DELETE leaves nothing behind: its caller forgets the strategy.
    """
    if step.op is Op.CREATE and step.spec is not None:
        spec = step.spec
        return ObservedStrategy(
            spec.name,
            Lifecycle.STOPPED,
            strategy_type=spec.strategy_type,
            exchange=spec.exchange,
            trading_pair=spec.trading_pair,
            config=spec.config,
            seen_at=now,
        )
    if step.op in STATE_AFTER:
        state = STATE_AFTER[step.op]
        if before is None:
            return ObservedStrategy(name, state, seen_at=now)
        return msgspec.structs.replace(before, state=state, message="", seen_at=now)
    if step.op is Op.UPDATE and before is not None:
        config = {**(before.config or {}), **(step.config or {})} if before.config is not None else None
        return msgspec.structs.replace(before, config=config, seen_at=now)
    return None
