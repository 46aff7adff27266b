"""What is known of a Basic peer, and of a target before anything is known."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Op, Step
from reconciler.model.spec import StrategySpec
from reconciler.model.state import Lifecycle, Presence
from reconciler.observed.target import ObservedTarget
from tests.support.observed_peer import TOPICS, WINDOW_S, Peer, agent_with

SPEC = StrategySpec("mm", "pmm", "binance", "BTC-USDT", {"bid_spread": Decimal("0.1"), "order_levels": 2})


# Nothing known.


def test_before_a_connection_everything_is_unknown() -> None:
    state = ObservedTarget("default", TOPICS)

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


def test_a_new_connection_starts_the_window_and_the_picture_again() -> None:
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


def test_success_shows_the_state_also_of_a_strategy_not_heard_of_before() -> None:
    peer = Peer()

    peer.state.confirmed("mm", Step(Op.START), peer.now)
    nothing = peer.state.confirmed("eth", Step(Op.UPDATE, config={"a": 1}), peer.now)

    assert (peer.held("mm").state, peer.held("mm").config) == (Lifecycle.RUNNING, None)
    assert not nothing


def test_an_update_of_a_config_that_was_never_reported_does_not_make_one_up() -> None:
    peer = Peer()
    peer.basic("mm")

    peer.state.confirmed("mm", Step(Op.UPDATE, config={"order_levels": 3}), peer.now)

    assert peer.held("mm").config is None
