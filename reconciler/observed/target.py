"""
Messages of one target, folded into Observed. Pure.

Rule 1: nothing here raises; a message that cannot be read is counted and changes nothing.
Rule 2: a status is taken only if it is newer, and believed only from the announced session of an agent that
is online, or from a peer without agents (Basic).
Rule 3: absence needs proof: every agent's inventory, or a Basic peer's snapshot. Silence proves nothing.
Rule 4: a new connection begins with an empty picture, since what was cleared meanwhile is not published again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.model.change import Op, Step
from reconciler.model.spec import is_name
from reconciler.model.state import AgentTransition, Observed, ObservedStrategy, PictureUpdate, Presence
from reconciler.observed.agent import ObservedAgent
from reconciler.observed.picture import Picture, after_success, is_copy
from reconciler.protocol.messages import MalformedMessage, Performance
from reconciler.protocol.reports import (
    StatusReport,
    decode_inventory,
    decode_performance,
    decode_presence,
    decode_status,
)
from reconciler.protocol.topics import TopicAddress, TopicKind, Topics

NOTHING = PictureUpdate()
PICTURE = PictureUpdate(picture=True)

NO_NAME = "strategy_name is not an allowed name - at `$.strategy_name`"

_Handler = Callable[[str, bytes, bool, float], PictureUpdate]


class ObservedTarget:
    """What is known of one target. All times are the receiver's monotonic clock, in seconds.

    `malformed` counts messages that could not be read; `last_error` says where the last one failed.
    """

    def __init__(
        self, target: str, topics: Topics, *, profile: str = "auto", basic_window_s: float = 30.0
    ) -> None:
        self.target = target
        self.malformed = 0
        self.last_error = ""
        self._topics = topics
        self._profile = profile
        self._basic_window_s = basic_window_s
        self._connected = False
        self._since = 0.0
        self._heard_at: float | None = None
        self._announced = False
        self._published: dict[str, bool] = {}
        self._news: list[AgentTransition] = []
        self._aged: set[str] = set()
        self._performance: dict[str, Performance] = {}
        self._picture = Picture(basic=profile == "basic")
        self._handlers: dict[TopicKind, _Handler] = {
            TopicKind.STATUS: self._on_status,
            TopicKind.PERFORMANCE: self._on_performance,
        }
        if profile != "basic":
            self._handlers[TopicKind.PRESENCE] = self._on_presence
            self._handlers[TopicKind.INVENTORY] = self._on_inventory

    # What happens.

    def on_connection(self, connected: bool, now: float) -> PictureUpdate:
        """Take note of a connection made or lost; whatever was known is unknown by that."""
        self._connected = connected
        self._since = now if connected else self._since
        return self.start_over() if connected else self._fold(self._picture.names, picture=True)

    def start_over(self) -> PictureUpdate:
        """Forget what was received: all that is retained comes again, on a new connection or on request."""
        names = self._picture.names
        self._picture = Picture(basic=self._profile == "basic")
        return self._fold(names, picture=True)

    def on_message(self, topic: str, payload: bytes, retain: bool, now: float) -> PictureUpdate:
        """Take one message in; those on topics that do not concern the picture change nothing."""
        address = self._topics.read(topic)
        return NOTHING if address is None else self.take(topic, address, payload, retain, now)

    def take(
        self, topic: str, address: TopicAddress, payload: bytes, retain: bool, now: float
    ) -> PictureUpdate:
        """As `on_message`, of a topic that was read already."""
        handler = self._handlers.get(address.kind)
        if handler is None:
            return NOTHING
        self._heard_at = now
        try:
            return handler(address.name, payload, retain, now)
        except MalformedMessage as error:
            self.malformed += 1
            self.last_error = f"{topic}: {error}"
            return NOTHING

    def tick(self, now: float) -> PictureUpdate:
        """Let time pass: agents whose heartbeats stopped go offline."""
        self._age(now)
        return self._fold(()) if self._news or self._aged else NOTHING

    def confirmed(self, name: str, step: Step, now: float) -> PictureUpdate:
        """Take a Basic peer's success as evidence: it may never report a status. Agents report for themselves."""
        if self.extended:
            return NOTHING
        if step.op is Op.DELETE:
            return self._forget(name)
        after = after_success(name, step, self._picture.current.get(name), now)
        if after is None:
            return NOTHING
        return self._fold((name,) if self._picture.put(after) else ())

    def _age(self, now: float) -> None:
        for agent in self._picture.agents.values():
            if agent.ages_out(now):
                self._aged |= agent.names
                self._note(agent)

    def _note(self, agent: ObservedAgent) -> None:
        """Add an `AgentTransition` for an agent whose presence differs from the last published one."""
        self._picture.distrust()
        if self._published.get(agent.name, agent.online) != agent.online:
            self._news.append(AgentTransition(agent.name, agent.online))
        self._published[agent.name] = agent.online

    def _fold(self, changed: Iterable[str], *, picture: bool = False) -> PictureUpdate:
        """Make a update of `changed` and of whatever time has changed since the last one."""
        if not (self._aged or self._news):
            return PictureUpdate(tuple(dict.fromkeys(changed)), (), picture)
        update = PictureUpdate(tuple(dict.fromkeys((*changed, *self._aged))), tuple(self._news), picture)
        self._aged, self._news = set(), []
        return update

    # Messages, each by its topic.

    def _on_status(self, level: str, payload: bytes, retain: bool, now: float) -> PictureUpdate:
        if not payload:
            return self._forget(level)
        if not level and self._profile != "basic" and is_copy(payload):
            return NOTHING
        report = decode_status(payload)
        if report.snapshot or report.unreadable:
            return self._on_report(report, level, retain, now)
        (status,) = report.statuses
        name = status.strategy_name
        if not is_name(name):
            raise MalformedMessage(NO_NAME)
        return self._fold((name,)) if self._picture.take(status, level, retain, now) else NOTHING

    def _on_report(self, report: StatusReport, level: str, retain: bool, now: float) -> PictureUpdate:
        """A status that is not simply one strategy's."""
        statuses = [status for status in report.statuses if is_name(status.strategy_name)]
        unreadable = [name for name in report.unreadable if is_name(name)]
        if not (report.snapshot or statuses or unreadable):
            raise MalformedMessage(NO_NAME)
        picture = self._picture
        changed = [status.strategy_name for status in statuses if picture.take(status, level, retain, now)]
        changed += [name for name in unreadable if picture.cannot_read(name)]
        if report.snapshot and not retain:
            changed += picture.take_snapshot(report)
        return self._fold(changed, picture=report.snapshot) if changed or report.snapshot else NOTHING

    def _forget(self, name: str) -> PictureUpdate:
        self._performance.pop(name, None)
        return self._fold((name,)) if self._picture.forget(name) else NOTHING

    def _on_presence(self, level: str, payload: bytes, retain: bool, now: float) -> PictureUpdate:
        if not payload:
            self._published.pop(level, None)
            return self._clear(level, presence=True)
        presence = decode_presence(payload)
        if presence.agent != level:
            raise MalformedMessage("agent is not the one of the topic - at `$.agent`")
        agent = self._picture.agent(level)
        before = (agent.session, agent.online)
        if not agent.announce(presence, now, retain=retain) or before == (agent.session, agent.online):
            return NOTHING
        self._announced = True
        self._note(agent)
        changed = self._picture.change_session(agent) | agent.names
        return self._fold(changed, picture=True)

    def _on_inventory(self, level: str, payload: bytes, retain: bool, now: float) -> PictureUpdate:
        if not payload:
            return self._clear(level, presence=False)
        inventory = decode_inventory(payload)
        if inventory.agent != level:
            raise MalformedMessage("agent is not the one of the topic - at `$.agent`")
        agent = self._picture.agent(level)
        if not retain:
            agent.on_heartbeat(inventory.session, now)
        return PICTURE if agent.take_inventory(inventory, retain=retain) else NOTHING

    def _clear(self, name: str, *, presence: bool) -> PictureUpdate:
        agent = self._picture.agents.get(name)
        if agent is None:
            return NOTHING
        return self._fold(self._picture.clear(agent, presence=presence), picture=True)

    def _on_performance(self, level: str, payload: bytes, retain: bool, now: float) -> PictureUpdate:
        del level, retain, now
        report = decode_performance(payload)
        if is_name(report.strategy_name):
            self._performance[report.strategy_name] = report
        return NOTHING

    # What is known.

    @property
    def extended(self) -> bool:
        """Whether Extended rules are in force: once an agent announced itself they stay, also if it is lost."""
        return self._profile == "extended" or self._announced

    def all_can(self, capability: str) -> bool:
        """Whether agents are online, and each has announced `capability`."""
        online = [agent for agent in self._picture.agents.values() if agent.online]
        return bool(online) and all(agent.can(capability) for agent in online)

    def performance(self, name: str) -> Performance | None:
        """The last performance report of `name`."""
        return self._performance.get(name)

    def believed(self, name: str) -> ObservedStrategy | None:
        """The strategy as last reported; None if nothing can be believed of it now."""
        held = self._picture.current.get(name)
        return held if held is not None and self._connected and self._picture.believes(held) else None

    def presence(self, name: str, now: float) -> Presence:
        """As `observe(now).presence(name)` at the cost of one name; proof of absence may come 0.1 s later."""
        self._age(now)
        if not self._connected or name in self._picture.unreadable:
            return Presence.UNKNOWN
        held = self._picture.current.get(name)
        if held is not None:
            return Presence.PRESENT if self._picture.believes(held) else Presence.UNKNOWN
        return Presence.ABSENT if self._complete(now, exact=False) else Presence.UNKNOWN

    def observe(self, now: float) -> Observed:
        """All that is known at `now`, as a value that later messages do not change."""
        self._age(now)
        complete = self._complete(now)
        return Observed(
            target=self.target,
            connected=self._connected,
            complete=complete,
            extended=self.extended,
            strategies=self._picture.believed(),
            unbelievable=self._picture.unbelievable(complete=complete),
            presumed_absent=self._presumes_absence(now),
            agents=tuple(agent.view(now) for _, agent in sorted(self._picture.agents.items())),
            age_s=None if self._heard_at is None else now - self._heard_at,
        )

    def _complete(self, now: float, *, exact: bool = True) -> bool:
        if not self._connected:
            return False
        if self.extended:
            return self._picture.agents_complete(now, exact=exact)
        return self._picture.snapshot and not self._traces_of_agents

    @property
    def _traces_of_agents(self) -> bool:
        return bool(self._picture.agents)

    def _presumes_absence(self, now: float) -> bool:
        """protocol.md's one exception: Basic peers only, and no trace of an agent that could hold the strategy."""
        waited = self._connected and now - self._since >= self._basic_window_s
        return waited and not self.extended and not self._traces_of_agents
