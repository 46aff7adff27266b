"""What holds for a picture after any order, loss or repetition of messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.state import Lifecycle, Presence
from tests.support.observed_peer import TOPICS, Peer

# Any order, any loss.

NAMES = [f"mm-{n}" for n in range(6)]
STATES = [state.value for state in Lifecycle]


@st.composite
def sessions_of_statuses(draw: st.DrawFn) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Statuses of one session in their order, and the same ones shuffled and partly doubled."""
    peer = Peer()
    said = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(STATES)), max_size=20))
    ordered = [peer.status(name, seq, state) for seq, (name, state) in enumerate(said, 1)]
    doubled = ordered + (draw(st.lists(st.sampled_from(ordered), max_size=10)) if ordered else [])
    return ordered, draw(st.permutations(doubled))


@given(sessions_of_statuses())
def test_statuses_of_a_session_lead_to_one_picture_in_any_order_and_number(
    said: tuple[list[tuple[str, Any]], list[tuple[str, Any]]],
) -> None:
    pictures = []
    for messages in said:
        peer = Peer()
        peer.deliver([peer.presence(), *messages])
        pictures.append(dict(peer.observe().strategies))

    assert pictures[0] == pictures[1]


@given(
    names=st.sets(st.sampled_from(NAMES), min_size=1),
    lost=st.sets(st.integers(0, 8)),
    profile=st.sampled_from(["auto", "extended"]),
    order=st.randoms(use_true_random=False),
    waited_s=st.sampled_from([0.0, 29.0, 31.0, 1000.0]),
)
def test_losing_any_retained_messages_never_makes_an_existing_strategy_absent(
    names: set[str], lost: set[int], profile: str, order: Any, waited_s: float
) -> None:
    peer = Peer(profile)
    messages = [message for n, message in enumerate(peer.whole(*sorted(names))) if n not in lost]
    order.shuffle(messages)

    peer.deliver(messages)
    peer.now += waited_s

    observed = peer.observe()
    for name in names:
        assert observed.presence(name) is not Presence.ABSENT
        assert peer.state.presence(name, peer.now) is not Presence.ABSENT
    assert not observed.presumed_absent or not messages


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any, bool]]:
    """Messages of two agents over several sessions, in any order, with deletions and snapshots among them."""
    peers = [Peer(agent="a1"), Peer(agent="a2")]
    history: list[tuple[str, Any, bool]] = []
    for _ in range(draw(st.integers(0, 25))):
        peer = draw(st.sampled_from(peers))
        session = draw(st.sampled_from(["s1", "s2", "s3"]))
        seq = draw(st.integers(0, 9))
        name = draw(st.sampled_from(NAMES))
        message = draw(
            st.sampled_from(
                [
                    peer.status(name, seq, session=session),
                    peer.presence(session=session, seq=seq),
                    peer.presence("offline", session=session),
                    peer.inventory(*NAMES[: seq % 4], seq=seq, session=session),
                    (TOPICS.status_of(name), b""),
                    (TOPICS.presence(peer.agent), b""),
                    (TOPICS.inventory(peer.agent), b""),
                    (TOPICS.status, {"strategy_name": name, "state": "running"}),
                    (TOPICS.status, {"strategy_name": name, "state": "odd"}),
                    (TOPICS.status, {"strategies": [{"strategy_name": name, "state": "paused"}]}),
                ]
            )
        )
        history.append((*message, draw(st.booleans())))
    return history


@given(histories(), st.sampled_from(["auto", "basic", "extended"]))
def test_the_answers_about_one_name_and_about_all_agree_after_any_history(
    history: list[tuple[str, Any, bool]], profile: str
) -> None:
    peer = Peer(profile)
    for topic, body, retain in history:
        peer.send(topic, body, retain=retain)
        peer.now += 0.2
        observed = peer.observe()
        for name in NAMES:
            assert peer.state.presence(name, peer.now) is observed.presence(name)
            assert peer.state.believed(name) == observed.strategies.get(name)
        assert not observed.unbelievable & observed.strategies.keys()


@given(histories(), st.sampled_from(["auto", "extended"]))
def test_an_agent_that_says_everything_again_is_believed_whatever_happened_before(
    history: list[tuple[str, Any, bool]], profile: str
) -> None:
    peer = Peer(profile)
    for topic, body, retain in history:
        peer.send(topic, body, retain=retain)

    for agent in ("a1", "a2"):
        for topic in (TOPICS.presence(agent), TOPICS.inventory(agent)):
            peer.send(topic, b"")
    for name in NAMES:
        peer.send(TOPICS.status_of(name), b"")
    peer.session = "fresh"
    peer.deliver(peer.whole("mm-0", "mm-1"), retain=False)

    assert peer.observe().strategies.keys() == {"mm-0", "mm-1"}
    assert peer.seen("mm-5") is Presence.ABSENT
