"""Agents that come, go, restart and claim one name twice."""

from __future__ import annotations

from reconciler.model.state import AgentTransition, Lifecycle, Presence
from tests.support.observed_peer import TOPICS, WINDOW_S, Peer, agent_with

# Agents: coming and going.


def test_an_agents_will_makes_its_strategies_unbelievable() -> None:
    peer = agent_with("mm")

    fold = peer.send(*peer.presence("offline"))

    assert (fold.changed, fold.agents) == (("mm",), (AgentTransition("a1", online=False),))
    assert (peer.seen("mm"), peer.seen("never")) == (Presence.UNKNOWN, Presence.UNKNOWN)
    assert peer.observe().unbelievable == {"mm"}
    assert peer.state.believed("mm") is None
    assert not peer.observe().presumed_absent


def test_an_agent_that_publishes_again_is_back() -> None:
    peer = agent_with("mm")
    peer.send(*peer.presence("offline"))

    fold = peer.send(*peer.presence(seq=1))

    assert (fold.changed, fold.agents) == (("mm",), (AgentTransition("a1", online=True),))
    assert peer.seen("mm") is Presence.PRESENT


def test_a_heartbeat_is_no_news() -> None:
    peer = agent_with("mm")

    assert not peer.send(*peer.presence(seq=1))


def test_the_will_of_another_session_is_ignored() -> None:
    peer = agent_with("mm")
    peer.send(*peer.presence(session="s2"))

    assert not peer.send(*peer.presence("offline", session="s1"))
    assert peer.observe().agents[0].online


def test_an_agent_that_misses_three_heartbeats_is_offline_without_a_will() -> None:
    peer = agent_with("mm")
    peer.send(*peer.presence(heartbeat_s=10, seq=1))
    peer.now += 30
    assert not peer.state.tick(peer.now)
    peer.now += 0.1

    fold = peer.state.tick(peer.now)

    assert (fold.changed, fold.agents) == (("mm",), (AgentTransition("a1", online=False),))
    assert peer.seen("mm") is Presence.UNKNOWN


def test_ageing_noticed_while_observing_is_reported_with_the_next_message() -> None:
    peer = agent_with("mm")
    peer.now += 31

    assert peer.state.presence("mm", peer.now) is Presence.UNKNOWN
    fold = peer.send(*peer.presence(seq=1))

    assert fold.agents == (AgentTransition("a1", online=False), AgentTransition("a1", online=True))


def test_any_live_word_of_an_agent_is_a_sign_of_life() -> None:
    peer = agent_with("mm")
    peer.now += 20
    peer.send(*peer.status("mm", 2, "paused"))
    peer.now += 20

    assert peer.seen("mm") is Presence.PRESENT


def test_a_restarted_agent_is_believed_once_it_has_said_everything_again() -> None:
    peer = agent_with("mm", "old")

    fold = peer.send(*peer.presence(session="s2"))
    assert set(fold.changed) == {"mm", "old"}
    assert (peer.seen("mm"), peer.seen("old"), peer.seen("never")) == (Presence.UNKNOWN,) * 3

    peer.send(*peer.status("mm", 1, "stopped", session="s2"))
    assert (peer.seen("mm"), peer.seen("old"), peer.seen("never")) == (
        Presence.PRESENT,
        Presence.UNKNOWN,
        Presence.UNKNOWN,
    )

    peer.send(*peer.inventory("mm", session="s2"))
    assert (peer.seen("mm"), peer.seen("old"), peer.seen("never")) == (
        Presence.PRESENT,
        Presence.ABSENT,
        Presence.ABSENT,
    )
    assert peer.observe().unbelievable == frozenset()


def test_a_late_word_of_an_ended_session_is_ignored() -> None:
    peer = agent_with("mm")
    peer.send(*peer.presence(session="s2"))
    peer.send(*peer.status("mm", 1, "stopped", session="s2"))

    assert not peer.send(*peer.status("mm", 99, "running", session="s1"))
    assert not peer.send(*peer.inventory("mm", "x", session="s1", seq=99))
    assert not peer.send(*peer.presence(session="s1", seq=99))

    assert peer.held("mm").state is Lifecycle.STOPPED


def test_statuses_that_overtake_their_sessions_birth_are_believed_with_it() -> None:
    peer = agent_with("mm")

    peer.send(*peer.status("mm", 1, "stopped", session="s2"))
    assert peer.held("mm").state is Lifecycle.RUNNING
    assert peer.seen("never") is Presence.UNKNOWN
    peer.send(*peer.inventory("mm", session="s2"))
    peer.send(*peer.presence(session="s2"))

    assert peer.held("mm").state is Lifecycle.STOPPED
    assert peer.seen("never") is Presence.ABSENT


def test_what_a_dead_agent_left_behind_is_not_believed() -> None:
    peer = Peer()
    peer.deliver([peer.status("mm"), peer.inventory("mm")])
    peer.now += WINDOW_S

    assert (peer.seen("mm"), peer.seen("never")) == (Presence.UNKNOWN, Presence.UNKNOWN)
    assert not peer.observe().presumed_absent


def test_a_silent_second_agent_makes_the_picture_incomplete() -> None:
    peer = agent_with("mm")
    other = Peer(agent="a2", session="x")

    peer.deliver([other.status("sol")])
    assert (peer.seen("never"), peer.seen("sol")) == (Presence.UNKNOWN, Presence.UNKNOWN)

    peer.deliver([other.presence(), other.inventory("sol")])
    assert (peer.seen("never"), peer.seen("sol")) == (Presence.ABSENT, Presence.PRESENT)


def test_two_agents_that_claim_one_name_are_never_complete() -> None:
    peer = agent_with("mm")
    other = Peer(agent="a2", session="x")

    peer.deliver(other.whole("mm"))

    assert peer.held("mm").agent == "a2"
    assert not peer.observe().complete


def test_an_agent_whose_traces_were_all_cleared_no_longer_stands_in_the_way() -> None:
    peer = agent_with("mm")
    other = Peer(agent="a2", session="x")
    peer.deliver([other.presence("offline"), other.status("sol"), other.inventory("sol")])
    assert peer.seen("never") is Presence.UNKNOWN

    for topic in (TOPICS.presence("a2"), TOPICS.status_of("sol"), TOPICS.inventory("a2")):
        peer.send(topic, b"")

    assert peer.seen("never") is Presence.ABSENT
    assert [agent.name for agent in peer.observe().agents] == ["a1"]


def test_a_cleared_presence_alone_makes_its_strategies_unbelievable() -> None:
    peer = agent_with("mm")

    fold = peer.send(TOPICS.presence("a1"), b"")

    assert fold.changed == ("mm",)
    assert (peer.seen("mm"), peer.seen("never")) == (Presence.UNKNOWN, Presence.UNKNOWN)


def test_clearing_what_was_never_there_is_no_news() -> None:
    peer = Peer()

    assert not peer.send(TOPICS.presence("a9"), b"")
    assert not peer.send(TOPICS.inventory("a9"), b"")
    assert not peer.send(TOPICS.status, b"")


def test_an_agent_lost_with_the_broker_and_back_is_reported_once_each() -> None:
    peer = agent_with("mm")
    peer.state.on_connection(connected=False, now=peer.now)
    peer.state.on_connection(connected=True, now=peer.now)

    lost = peer.send(*peer.presence("offline"), retain=True)
    again = peer.send(*peer.presence("offline"), retain=True)
    back = peer.send(*peer.presence(session="s2"))

    assert [news.online for fold in (lost, again, back) for news in fold.agents] == [False, True]
