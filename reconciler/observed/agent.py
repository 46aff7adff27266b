"""
What one agent says of itself: presence, inventory, and whether the two agree with what we hold. Pure.

Rule 1: presence names the session in force; what other sessions say is not believed.
Rule 2: an agent that misses three heartbeats is offline, also if its will never came.
Rule 3: its picture is complete only while count and digest of its inventory agree with the names we hold.
Rule 4: an agent that numbers all that it publishes shows by a gap that some of it did not reach us.
"""

from __future__ import annotations

from reconciler.model.state import AgentView
from reconciler.protocol.canonical import inventory_digest
from reconciler.protocol.messages import AgentInventory, AgentPresence

MISSED_HEARTBEATS = 3
"""One may be late and one lost; the third says that the agent is gone."""

NUMBERED = "numbered"
"""The capability of agents whose presence, inventory and statuses of one session are numbered without a gap."""

RECHECK_S = 0.1
"""Shortest time between two digests for a single question: one over 10,000 names takes 3 ms, and while a
fleet is being created every message changes the names."""


class ObservedAgent:
    """An agent of which a message was received.

    `names`: strategies held of its session in force. `rival`: a session that speaks but has not been announced;
    the agent is about to restart, or two of its name are running. `missed`: something that it reported was lost.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.presence: AgentPresence | None = None
        self.online = False
        self.names: set[str] = set()
        self.rival = ""
        self.missed = False
        self._heard_seq = 0
        self._status_seq = 0
        self._inventory: AgentInventory | None = None
        self._past: set[str] = set()
        self._heard_at = 0.0
        self._dirty = True
        self._agreed = False
        self._checked_at: float | None = None

    @property
    def session(self) -> str:
        """The session in force; empty as long as none was announced."""
        return self.presence.session if self.presence else ""

    def can(self, capability: str) -> bool:
        """Whether it announced `capability`."""
        return self.presence is not None and capability in self.presence.capabilities

    def is_past(self, session: str) -> bool:
        """Whether `session` ended before the one in force."""
        return session in self._past

    # Presence.

    def announce(self, presence: AgentPresence, now: float, *, retain: bool) -> bool:
        """Take a birth, heartbeat or will; False if it is out of date or not of the session in force."""
        if self.presence is not None:
            if presence.session == self.session:
                newer = presence.state == "offline" or presence.seq >= self.presence.seq
            else:
                newer = presence.state == "online" and not self.is_past(presence.session)
            if not newer:
                return False
        if presence.state == "online":
            self._follow(presence.seq, retain=retain)
        if self.presence is not None and presence.session != self.session:
            self._past.add(self.session)
            self._heard_seq, self._status_seq, self.missed = presence.seq, 0, False
            self.names = set()
            self._touch()
        if self.rival == presence.session:
            self.rival = ""
        self.presence = presence
        self.online = presence.state == "online"
        self._heard_at = now
        return True

    def retire(self) -> None:
        """Forget its presence: it was cleared, so nothing says any more that it is online."""
        self.presence = None
        self.online = False
        self.names = set()
        self._touch()

    def on_heartbeat(self, session: str, now: float) -> None:
        """Note that `session` spoke just now (not a retained message): it is alive.

        Two sessions at once mean a restart whose birth is still to come: until then nothing is complete.
        """
        if session == self.session:
            self._heard_at = now
        elif not self.is_past(session):
            self.rival = session

    def follow_status(self, seq: int, *, retain: bool) -> None:
        """Note the number of a status of the session in force."""
        self._status_seq = max(self._status_seq, seq)
        self._follow(seq, retain=retain)

    def _follow(self, seq: int, *, retain: bool) -> None:
        """Notice a gap. What is retained was published before and has left one; so has nothing that was never received."""
        if not retain and self._heard_seq and seq > self._heard_seq + 1 and self.can(NUMBERED):
            self.missed = True
        self._heard_seq = max(self._heard_seq, seq)

    def ages_out(self, now: float) -> bool:
        """Go offline if the heartbeats stopped; True when that happened with this call."""
        if not self.online or self.presence is None:
            return False
        limit_s = MISSED_HEARTBEATS * self.presence.heartbeat_s
        self.online = now - self._heard_at <= limit_s
        return not self.online

    # Completeness.

    def take_inventory(self, inventory: AgentInventory, *, retain: bool) -> bool:
        """Keep an inventory, whichever session it is of; False if it is out of date."""
        held = self._inventory
        if inventory.session == self.session:
            self._follow(inventory.seq, retain=retain)
        if self.is_past(inventory.session):
            return False
        if held is not None and held.session == inventory.session and held.seq >= inventory.seq:
            return False
        self._inventory = inventory
        self._touch()
        return True

    def clear_inventory(self) -> None:
        """Forget its inventory: it was cleared."""
        self._inventory = None

    @property
    def unheard_of(self) -> bool:
        """Whether neither its presence nor its inventory is known."""
        return self.presence is None and self._inventory is None

    def hold(self, name: str) -> None:
        """Note that a status of the session in force is held for `name`."""
        if name not in self.names:
            self.names.add(name)
            self._touch()

    def drop(self, name: str) -> None:
        """Note that `name` is no longer this agent's."""
        if name in self.names:
            self.names.discard(name)
            self._touch()

    def _touch(self) -> None:
        self._dirty = True

    def complete(self, now: float, *, exact: bool = True) -> bool:
        """Whether we hold all its strategies. `exact` False may answer False for up to RECHECK_S too long."""
        held = self._inventory
        if held is None or not self.online or self.rival or self.missed:
            return False
        if held.session != self.session or held.count != len(self.names):
            return False
        rested = self._checked_at is None or now - self._checked_at >= RECHECK_S
        if self._dirty and (exact or rested):
            self._dirty = False
            self._checked_at = now
            self._agreed = held.digest == inventory_digest(self.names)
        return self._agreed and not self._dirty

    def outdated(self, now: float) -> bool:
        """Whether what we hold of it has to be reported again: something was missed, or we hold what is gone.

        Its inventory says the latter if it is younger than all statuses and names no more than we hold.
        """
        held = self._inventory
        if self.missed or held is None or held.session != self.session or not self.can(NUMBERED):
            return self.missed
        return held.seq > self._status_seq and held.count <= len(self.names) and not self.complete(now)

    def view(self, now: float) -> AgentView:
        """What is shown of it, and what the planner may know."""
        presence = self.presence
        if presence is None:
            return AgentView(self.name, online=False)
        return AgentView(
            self.name,
            self.online,
            presence.session,
            self.complete(now),
            presence.strategy_types,
            presence.epoch,
            self.outdated(now),
        )
