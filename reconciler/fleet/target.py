"""One target of the fleet: its topics and its picture, what to subscribe to, and when the picture is settled."""

from __future__ import annotations

import asyncio

from reconciler.model.state import Observed
from reconciler.observed.target import ObservedTarget
from reconciler.protocol.batches import CAPABILITY as BATCHES
from reconciler.protocol.topics import Topics
from reconciler.settings.model import TargetSettings


class Target:
    """One root of topics: its topics, its picture, and the lock that a Basic peer needs."""

    def __init__(self, name: str, settings: TargetSettings) -> None:
        self.name = name
        self.topics = Topics(settings.root)
        self.state = ObservedTarget(
            name, self.topics, profile=settings.profile, basic_window_s=settings.basic_window_s
        )
        self.profile = settings.profile
        self.one_at_a_time = asyncio.Lock()
        self.answers = True
        """Whether this Basic peer answered the last command."""

    @property
    def extended(self) -> bool:
        """Whether commands carry `meta` now."""
        return self.profile == "extended" or (self.profile == "auto" and self.state.extended)

    @property
    def batches(self) -> bool:
        """Whether several commands may go in one message."""
        return self.extended and self.state.all_can(BATCHES)


def subscriptions(topics: Topics, *, performance: bool, logs: bool) -> list[tuple[list[str], int]]:
    """What to subscribe to. State comes at QoS 0: at QoS 1 Mosquitto's default queue limit of 1,000
    cuts a larger retained snapshot; the inventory's digest shows if anything is missing all the same.

    No two filters meet the same topic (`response/#` is `response`, too): Mosquitto would send each message twice,
    and the second of two answers of a Basic peer would be taken for the next command's.
    """
    state = state_filters(topics)
    if performance:
        state += [topics.performance, f"{topics.performance}/+"]
    if logs:
        state += [topics.logs, f"{topics.logs}/+"]
    return [([f"{topics.response}/#"], 1), (state, 0)]


def state_filters(topics: Topics) -> list[str]:
    """Agents first: should a broker cut what follows, it is still known which agents are online."""
    return [f"{topics.root}/agent/+", f"{topics.root}/inventory/+", topics.status, f"{topics.status}/+"]


def is_incomplete(view: Observed) -> bool:
    return any(agent.online and not agent.complete for agent in view.agents)


def is_outdated(view: Observed) -> bool:
    return any(agent.outdated for agent in view.agents)


def is_settled(view: Observed) -> bool:
    if not view.connected:
        return False
    gone = bool(view.agents) and not any(agent.online for agent in view.agents)
    return view.complete or view.presumed_absent or gone
