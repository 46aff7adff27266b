"""What is believed of an agent, under each profile, and what is kept of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.model.change import Op, Step
from reconciler.model.state import Lifecycle, Presence
from tests.support.observed_peer import TOPICS, WINDOW_S, Peer, agent_with


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
