"""What is known of a target after any order, loss or repetition of messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Op, Step
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Lifecycle, Observed, ObservedStrategy, Presence
from reconciler.observed import AgentNews, Fold, LiveState
from reconciler.protocol.canonical import inventory_digest
from reconciler.protocol.topics import Topics

TOPICS = Topics("hummingbot")
WINDOW_S = 30.0
SPEC = StrategySpec("mm", "pmm", "binance", "BTC-USDT", {"bid_spread": Decimal("0.1"), "order_levels": 2})


class Peer:
    """Writes what an agent or a Basic host publishes, and hands it to a LiveState."""

    def __init__(self, profile: str = "auto", *, agent: str = "a1", session: str = "s1") -> None:
        self.state = LiveState("default", TOPICS, profile=profile, basic_window_s=WINDOW_S)
        self.agent = agent
        self.session = session
        self.now = 100.0
        self.state.on_connection(connected=True, now=self.now)

    def send(self, topic: str, body: Any, *, retain: bool = False) -> Fold:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.state.on_message(topic, payload, retain, self.now)

    def deliver(self, messages: Iterable[tuple[str, Any]], *, retain: bool = True) -> None:
        for topic, body in messages:
            self.send(topic, body, retain=retain)

    def basic(self, name: str, state: str = "running", **more: Any) -> Fold:
        return self.send(TOPICS.status, {"strategy_name": name, "state": state, **more})

    def snapshot(self, *names: str, retain: bool = False) -> Fold:
        strategies = [{"strategy_name": name, "state": "running"} for name in names]
        return self.send(TOPICS.status, {"strategies": strategies, "timestamp": 1}, retain=retain)

    def presence(
        self, state: str = "online", *, session: str = "", seq: int = 0, **more: Any
    ) -> tuple[str, Any]:
        body = {"agent": self.agent, "state": state, "session": session or self.session, "seq": seq, **more}
        return TOPICS.presence(self.agent), body

    def status(
        self, name: str, seq: int = 1, state: str = "running", *, session: str = "", **more: Any
    ) -> tuple[str, Any]:
        body = {
            "strategy_name": name,
            "state": state,
            "agent": self.agent,
            "session": session or self.session,
            "seq": seq,
            **more,
        }
        return TOPICS.status_of(name), body

    def inventory(self, *names: str, seq: int = 1, session: str = "") -> tuple[str, Any]:
        body = {
            "agent": self.agent,
            "session": session or self.session,
            "seq": seq,
            "count": len(names),
            "digest": inventory_digest(names),
        }
        return TOPICS.inventory(self.agent), body

    def whole(self, *names: str) -> list[tuple[str, Any]]:
        """All retained messages of an agent with these strategies."""
        statuses = [self.status(name, seq) for seq, name in enumerate(names, 1)]
        return [self.presence(), *statuses, self.inventory(*names)]

    def observe(self) -> Observed:
        return self.state.observe(self.now)

    def seen(self, name: str) -> Presence:
        return self.observe().presence(name)

    def held(self, name: str) -> ObservedStrategy:
        held = self.state.believed(name)
        assert held is not None
        return held


def agent_with(*names: str) -> Peer:
    peer = Peer()
    peer.deliver(peer.whole(*names))
    return peer


# Nothing known.


def test_before_a_connection_everything_is_unknown() -> None:
    state = LiveState("default", TOPICS)

    assert state.observe(0.0).presence("mm") is Presence.UNKNOWN
    assert state.observe(0.0).age_s is None


def test_silence_proves_nothing() -> None:
    peer = Peer()
    peer.now += 10_000

    assert peer.seen("mm") is Presence.UNKNOWN


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("hummingbot/status", b"not json"),
        ("hummingbot/status", b'{"state":"running"}'),
        ("hummingbot/status", b'{"strategy_name":"../x","state":"running"}'),
        ("hummingbot/agent/a1", b"{}"),
        ("hummingbot/agent/a2", json.dumps(Peer().presence()[1]).encode()),
        ("hummingbot/inventory/a2", json.dumps(Peer().inventory()[1]).encode()),
        ("hummingbot/status/eth", json.dumps(Peer().status("mm")[1]).encode()),
        ("hummingbot/performance", b"[]"),
    ],
)
def test_a_message_that_cannot_be_read_is_counted_and_changes_nothing(topic: str, payload: bytes) -> None:
    peer = agent_with("eth")
    before = peer.observe()

    assert not peer.send(topic, payload)

    assert peer.observe() == before
    assert peer.state.malformed == 1
    assert peer.state.last_error.startswith(f"{topic}: ")


@pytest.mark.parametrize(
    "topic", ["other/status", "hummingbot/strategy/create", "hummingbot/response/x", "hummingbot"]
)
def test_a_topic_that_is_not_about_the_picture_is_ignored(topic: str) -> None:
    peer = Peer()

    assert not peer.send(topic, b"not json")
    assert peer.state.malformed == 0
    assert peer.observe().age_s is None


@given(
    topic=st.sampled_from(
        [TOPICS.status, TOPICS.status_of("mm"), TOPICS.presence("a1"), TOPICS.inventory("a1")]
    ),
    payload=st.binary(max_size=60),
    retain=st.booleans(),
)
def test_no_payload_raises(topic: str, payload: bytes, retain: bool) -> None:
    agent_with("mm").state.on_message(topic, payload, retain, 101.0)


# Basic peers.


def test_a_basic_status_is_believed() -> None:
    peer = Peer()

    fold = peer.basic("mm", "paused", strategy_id=123, config={"bid_spread": 0.1})

    assert fold.changed == ("mm",)
    assert peer.seen("mm") is Presence.PRESENT
    assert (peer.held("mm").state, peer.held("mm").strategy_id) == (Lifecycle.PAUSED, "123")
    assert peer.held("mm").config == {"bid_spread": Decimal("0.1")}
    assert not peer.observe().extended


def test_a_basic_status_that_repeats_itself_changes_nothing() -> None:
    peer = Peer()
    peer.basic("mm", timestamp=1)

    assert not peer.basic("mm", timestamp="2024-03-20T10:00:00Z")


def test_a_snapshot_proves_that_what_it_does_not_list_is_absent() -> None:
    peer = Peer()
    peer.basic("old")

    fold = peer.snapshot("mm")

    assert set(fold.changed) == {"mm", "old"}
    assert (peer.seen("mm"), peer.seen("old"), peer.seen("never")) == (
        Presence.PRESENT,
        Presence.ABSENT,
        Presence.ABSENT,
    )


def test_a_later_status_overrules_a_snapshot() -> None:
    peer = Peer()
    peer.snapshot()

    peer.basic("mm")

    assert peer.seen("mm") is Presence.PRESENT


def test_a_retained_snapshot_may_be_old_and_proves_no_absence() -> None:
    peer = Peer()
    peer.basic("newer")

    peer.snapshot("mm", retain=True)

    assert (peer.seen("mm"), peer.seen("newer"), peer.seen("eth")) == (
        Presence.PRESENT,
        Presence.PRESENT,
        Presence.UNKNOWN,
    )


def test_a_snapshot_with_an_entry_that_cannot_be_named_proves_no_absence() -> None:
    peer = Peer()
    peer.snapshot()

    peer.send(
        TOPICS.status, {"strategies": [{"strategy_name": "mm", "state": "running"}, {"state": "running"}]}
    )

    assert (peer.seen("mm"), peer.seen("eth")) == (Presence.PRESENT, Presence.UNKNOWN)


@pytest.mark.parametrize("shape", [1, 2])
def test_a_strategy_in_a_state_that_we_do_not_know_is_unknown_and_not_absent(shape: int) -> None:
    peer = Peer()
    peer.snapshot("mm")
    strange = {"strategy_name": "mm", "state": "levitating"}

    fold = peer.send(TOPICS.status, strange if shape == 1 else {"strategies": [strange]})

    assert fold.changed == ("mm",)
    assert peer.seen("mm") is Presence.UNKNOWN
    assert peer.observe().unbelievable == {"mm"}
    peer.basic("mm")
    assert peer.seen("mm") is Presence.PRESENT


def test_an_unheard_of_strategy_is_presumed_absent_only_after_the_window() -> None:
    peer = Peer()
    peer.basic("other")
    peer.now += WINDOW_S - 0.1
    early = peer.observe()
    peer.now += 0.1
    late = peer.observe()

    assert (early.presumed_absent, late.presumed_absent) == (False, True)
    assert late.presence("mm") is Presence.UNKNOWN


def test_a_new_connection_starts_the_window_and_the_picture_anew() -> None:
    peer = Peer()
    peer.snapshot("mm")
    peer.now += WINDOW_S

    lost = peer.state.on_connection(connected=False, now=peer.now)
    assert lost.changed == ("mm",)
    assert peer.seen("mm") is Presence.UNKNOWN
    assert peer.seen("never") is Presence.UNKNOWN
    assert peer.state.believed("mm") is None

    peer.state.on_connection(connected=True, now=peer.now)
    assert (peer.seen("mm"), peer.seen("never")) == (Presence.UNKNOWN, Presence.UNKNOWN)
    assert not peer.observe().presumed_absent
    assert not peer.observe().strategies


def test_success_of_a_basic_peer_is_evidence() -> None:
    peer = Peer()
    state, now = peer.state, peer.now

    state.confirmed("mm", Step(Op.CREATE, spec=SPEC), now)
    assert (peer.held("mm").state, peer.held("mm").config) == (Lifecycle.STOPPED, SPEC.config)
    for op, expected in [
        (Op.START, Lifecycle.RUNNING),
        (Op.PAUSE, Lifecycle.PAUSED),
        (Op.RESUME, Lifecycle.RUNNING),
        (Op.STOP, Lifecycle.STOPPED),
    ]:
        assert state.confirmed("mm", Step(op), now).changed == ("mm",)
        assert peer.held("mm").state is expected
    state.confirmed("mm", Step(Op.UPDATE, config={"order_levels": 3}), now)
    assert peer.held("mm").config == {"bid_spread": Decimal("0.1"), "order_levels": 3}
    assert state.confirmed("mm", Step(Op.DELETE), now).changed == ("mm",)
    assert state.believed("mm") is None


def test_success_tells_the_state_also_of_a_strategy_not_heard_of_before() -> None:
    peer = Peer()

    peer.state.confirmed("mm", Step(Op.START), peer.now)
    nothing = peer.state.confirmed("eth", Step(Op.UPDATE, config={"a": 1}), peer.now)

    assert (peer.held("mm").state, peer.held("mm").config) == (Lifecycle.RUNNING, None)
    assert not nothing


def test_an_update_of_a_config_that_was_never_told_does_not_make_one_up() -> None:
    peer = Peer()
    peer.basic("mm")

    peer.state.confirmed("mm", Step(Op.UPDATE, config={"order_levels": 3}), peer.now)

    assert peer.held("mm").config is None


def test_an_agent_reports_for_itself() -> None:
    peer = agent_with("mm")

    assert not peer.state.confirmed("mm", Step(Op.STOP), peer.now)
    assert peer.held("mm").state is Lifecycle.RUNNING


# Agents: believing.


def test_a_complete_agent_proves_presence_and_absence() -> None:
    peer = agent_with("mm", "eth")

    observed = peer.observe()

    assert (observed.presence("mm"), observed.presence("never")) == (Presence.PRESENT, Presence.ABSENT)
    assert observed.complete
    assert observed.extended
    assert [(a.name, a.online, a.complete) for a in observed.agents] == [("a1", True, True)]


def test_an_agent_without_strategies_is_complete_once_it_said_so() -> None:
    peer = Peer()
    peer.deliver([peer.presence()])
    assert peer.seen("mm") is Presence.UNKNOWN

    fold = peer.send(*peer.inventory())

    assert fold
    assert peer.seen("mm") is Presence.ABSENT


def test_everything_an_agent_says_of_a_strategy_is_kept() -> None:
    peer = Peer()
    peer.deliver([peer.presence(strategy_types=["pmm"], epoch=9)])
    peer.send(
        *peer.status(
            "mm",
            7,
            "error",
            strategy_type="pmm",
            exchange="binance",
            trading_pair="BTC-USDT",
            account="second",
            config={"bid_spread": 0.1},
            message="kill switch",
            spec_hash="sha256:1",
            observed_at="2024-03-20T10:00:00Z",
            conditions=[{"type": "OrdersMayBeOpen", "reason": "killed"}],
            meta={"owner": "ctl", "commit": "9f3c2ab", "epoch": 9},
        )
    )

    held = peer.held("mm")
    assert (held.state, held.message, held.spec_hash) == (Lifecycle.ERROR, "kill switch", "sha256:1")
    assert (held.owner, held.account, held.seq, held.seen_at) == ("ctl", "second", 7, 100.0)
    assert held.conditions[0].type == "OrdersMayBeOpen"
    assert held.observed_at == "2024-03-20T10:00:00Z"
    (agent,) = peer.observe().agents
    assert (agent.strategy_types, agent.highest_epoch) == (("pmm",), 9)


def test_a_status_that_is_older_than_the_one_held_is_ignored() -> None:
    peer = agent_with("mm")
    peer.send(*peer.status("mm", 5, "stopped"))

    assert not peer.send(*peer.status("mm", 4, "running"))
    assert not peer.send(*peer.status("mm", 5, "running"))

    assert peer.held("mm").state is Lifecycle.STOPPED


def test_the_copy_for_basic_listeners_is_ignored() -> None:
    peer = agent_with("mm")
    _, body = peer.status("mm", 9, "stopped")

    assert not peer.send(TOPICS.status, body)
    assert peer.held("mm").state is Lifecycle.RUNNING


def test_a_copy_says_nothing_whatever_else_is_in_it() -> None:
    peer = agent_with("mm")

    others: list[dict[str, Any]] = [{"config": 1}, {"conditions": "x"}, {"strategies": []}, {"meta": [1]}]
    for more in others:
        _, body = peer.status("mm", 9, "stopped")
        assert not peer.send(TOPICS.status, {**body, **more})

    assert peer.held("mm").state is Lifecycle.RUNNING
    assert peer.state.malformed == 0


@pytest.mark.parametrize("own", [{"seq": "first"}, {"session": 7}, {"agent": ["me"]}, {"session": ""}])
def test_a_basic_peer_that_means_something_else_by_agent_session_or_seq_is_heard(own: dict[str, Any]) -> None:
    peer = Peer()
    status = {"strategy_name": "mm", "state": "running", "agent": "me", "session": "s", "seq": 1}

    assert peer.send(TOPICS.status, {**status, **own}).changed == ("mm",)


def test_a_copy_with_a_state_that_we_do_not_know_makes_the_strategy_unknown() -> None:
    peer = agent_with("mm")
    _, body = peer.status("mm", 9, "melting")

    peer.send(TOPICS.status, body)

    assert peer.seen("mm") is Presence.UNKNOWN


def test_a_cleared_status_means_deleted_and_is_proof_with_the_next_inventory() -> None:
    peer = agent_with("mm", "eth")

    fold = peer.send(TOPICS.status_of("mm"), b"")
    assert fold.changed == ("mm",)
    assert peer.seen("mm") is Presence.UNKNOWN

    peer.send(*peer.inventory("eth", seq=2))
    assert (peer.seen("mm"), peer.seen("eth")) == (Presence.ABSENT, Presence.PRESENT)
    assert not peer.send(TOPICS.status_of("mm"), b"")


def test_a_status_cut_out_of_the_retained_picture_is_unknown_and_not_absent() -> None:
    peer = Peer()
    names = [f"mm-{n}" for n in range(20)]
    kept = [message for message in peer.whole(*names) if message[0] != TOPICS.status_of("mm-7")]

    peer.deliver(kept)

    assert peer.seen("mm-7") is Presence.UNKNOWN
    assert not peer.observe().complete


def test_the_right_count_with_another_name_is_no_proof() -> None:
    peer = Peer()
    peer.deliver([peer.presence(), peer.status("mm"), peer.inventory("eth")])

    assert peer.seen("eth") is Presence.UNKNOWN


def test_a_picture_is_not_complete_before_its_retained_messages_have_arrived() -> None:
    peer = Peer()
    names = ["mm", "eth", "sol"]
    messages = [peer.presence(), peer.inventory(*names)] + [peer.status(name) for name in names]
    early, last = messages[:-1], messages[-1]

    for message in early:
        peer.deliver([message])
        assert not peer.observe().complete
    peer.deliver([last])

    assert peer.observe().complete


def test_an_older_inventory_is_ignored() -> None:
    peer = agent_with("mm")
    peer.send(*peer.inventory("mm", seq=5))

    assert not peer.send(*peer.inventory("mm", "eth", seq=4))
    assert peer.observe().complete


# Agents: coming and going.


def test_an_agents_will_makes_its_strategies_unbelievable() -> None:
    peer = agent_with("mm")

    fold = peer.send(*peer.presence("offline"))

    assert (fold.changed, fold.agents) == (("mm",), (AgentNews("a1", online=False),))
    assert (peer.seen("mm"), peer.seen("never")) == (Presence.UNKNOWN, Presence.UNKNOWN)
    assert peer.observe().unbelievable == {"mm"}
    assert peer.state.believed("mm") is None
    assert not peer.observe().presumed_absent


def test_an_agent_that_publishes_again_is_back() -> None:
    peer = agent_with("mm")
    peer.send(*peer.presence("offline"))

    fold = peer.send(*peer.presence(seq=1))

    assert (fold.changed, fold.agents) == (("mm",), (AgentNews("a1", online=True),))
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

    assert (fold.changed, fold.agents) == (("mm",), (AgentNews("a1", online=False),))
    assert peer.seen("mm") is Presence.UNKNOWN


def test_ageing_noticed_while_observing_is_told_with_the_next_message() -> None:
    peer = agent_with("mm")
    peer.now += 31

    assert peer.state.presence("mm", peer.now) is Presence.UNKNOWN
    fold = peer.send(*peer.presence(seq=1))

    assert fold.agents == (AgentNews("a1", online=False), AgentNews("a1", online=True))


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


def test_an_agent_lost_with_the_broker_and_back_is_told_once_each() -> None:
    peer = agent_with("mm")
    peer.state.on_connection(connected=False, now=peer.now)
    peer.state.on_connection(connected=True, now=peer.now)

    lost = peer.send(*peer.presence("offline"), retain=True)
    again = peer.send(*peer.presence("offline"), retain=True)
    back = peer.send(*peer.presence(session="s2"))

    assert [news.online for fold in (lost, again, back) for news in fold.agents] == [False, True]


# Profiles.


def test_extended_rules_stay_in_force_after_the_agent_is_lost() -> None:
    peer = agent_with("mm")
    peer.state.on_connection(connected=False, now=peer.now)
    peer.state.on_connection(connected=True, now=peer.now)
    peer.now += WINDOW_S

    assert peer.state.extended
    assert not peer.observe().presumed_absent


def test_the_extended_profile_never_presumes_and_takes_no_snapshot_for_proof() -> None:
    peer = Peer("extended")
    peer.snapshot("mm")
    peer.now += WINDOW_S

    assert peer.observe().extended
    assert not peer.observe().presumed_absent
    assert peer.seen("never") is Presence.UNKNOWN


def test_the_basic_profile_takes_an_agent_for_a_basic_peer() -> None:
    peer = Peer("basic")
    peer.deliver([peer.presence("offline"), peer.status("mm", 5, "paused"), peer.inventory("mm")])
    peer.send(TOPICS.status, peer.status("mm", 4, "running")[1])
    peer.now += WINDOW_S

    assert peer.held("mm").state is Lifecycle.PAUSED
    assert not peer.observe().extended
    assert peer.observe().presumed_absent
    assert peer.observe().agents == ()


def test_an_agents_word_counts_more_than_a_basic_peers() -> None:
    peer = agent_with("mm")

    assert not peer.basic("mm", "stopped")
    assert peer.held("mm").state is Lifecycle.RUNNING


def test_a_basic_snapshot_does_not_take_an_agents_strategies_away() -> None:
    peer = agent_with("mm")

    peer.snapshot()

    assert peer.seen("mm") is Presence.PRESENT


# The rest.


def test_performance_is_kept_until_the_strategy_is_deleted() -> None:
    peer = agent_with("mm")

    assert not peer.send(TOPICS.performance, {"strategy_name": "mm", "timestamp": 1, "net_pnl_quote": 1.5})
    figures = peer.state.performance("mm")
    peer.send(TOPICS.status_of("mm"), b"")

    assert figures is not None
    assert figures.net_pnl_quote == Decimal("1.5")
    assert peer.state.performance("mm") is None


def test_what_was_observed_does_not_change_with_later_messages() -> None:
    peer = agent_with("mm")
    before = peer.observe()

    peer.send(*peer.status("mm", 9, "stopped"))
    peer.send(TOPICS.status_of("mm"), b"")

    assert before.strategies["mm"].state is Lifecycle.RUNNING


def test_the_age_of_the_picture_is_that_of_the_newest_message() -> None:
    peer = agent_with("mm")
    peer.now += 0.4

    assert peer.observe().age_s == pytest.approx(0.4)


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
