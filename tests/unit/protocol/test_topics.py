from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Op
from reconciler.model.spec import is_name, is_root
from reconciler.protocol.topics import TopicAddress, TopicKind, Topics

TOPICS = Topics("hummingbot")


def test_every_given_topic_has_the_given_address() -> None:
    assert [TOPICS.command(op) for op in (Op.CREATE, Op.RESUME)] == [
        "hummingbot/strategy/create",
        "hummingbot/strategy/resume",
    ]
    assert (TOPICS.status, TOPICS.performance, TOPICS.logs) == (
        "hummingbot/status",
        "hummingbot/performance",
        "hummingbot/logs",
    )
    assert TOPICS.notification("telegram") == "hummingbot/notifications/telegram"


@pytest.mark.parametrize(
    ("topic", "address"),
    [
        (TOPICS.command(Op.UPDATE), TopicAddress(TopicKind.COMMAND, "update")),
        (TOPICS.status, TopicAddress(TopicKind.STATUS)),
        (TOPICS.status_of("mm"), TopicAddress(TopicKind.STATUS, "mm")),
        (TOPICS.presence("a1"), TopicAddress(TopicKind.PRESENCE, "a1")),
        (TOPICS.inventory("a1"), TopicAddress(TopicKind.INVENTORY, "a1")),
        (TOPICS.response, TopicAddress(TopicKind.RESPONSE)),
        (TOPICS.reply_to("ctl-1"), TopicAddress(TopicKind.RESPONSE, "ctl-1")),
        (TOPICS.logs, TopicAddress(TopicKind.LOGS)),
        (TOPICS.notification("discord"), TopicAddress(TopicKind.NOTIFICATION, "discord")),
    ],
)
def test_a_topic_reads_as_what_it_was_built_from(topic: str, address: TopicAddress) -> None:
    assert TOPICS.read(topic) == address


@pytest.mark.parametrize(
    "topic", ["other/status", "hummingbot", "hummingbots/status", "hummingbot/statusx", ""]
)
def test_a_topic_that_is_not_ours_reads_as_none(topic: str) -> None:
    assert TOPICS.read(topic) is None


@pytest.mark.parametrize(
    "topic", ["hummingbot/response", "hummingbot/response/ctl-7f3a", "hummingbot/response/a/b"]
)
def test_replies_may_go_to_the_response_topic_and_below(topic: str) -> None:
    assert TOPICS.may_reply_to(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "hummingbot/strategy/delete",
        "hummingbot/responses",
        "hummingbot/response/",
        "hummingbot/response/#",
        "hummingbot/response/+",
        "hummingbot/response/a/../../strategy",
        "hummingbot/response/a\0",
        "hummingbot/response/a\n",
        "other/response",
        "",
        "hummingbot/response/" + "x" * 300,
    ],
)
def test_replies_may_go_nowhere_else(topic: str) -> None:
    assert not TOPICS.may_reply_to(topic)


@pytest.mark.parametrize("root", ["", "/", "a/", "/a", "a/+", "#", "$SYS", "a b", "a/b/c/d/e"])
def test_a_root_that_could_reach_other_topics_is_refused(root: str) -> None:
    assert not is_root(root)
    with pytest.raises(ValueError, match="cannot be the root"):
        Topics(root)


def test_a_root_may_have_several_levels() -> None:
    assert Topics("desk/eu-1").read("desk/eu-1/status/mm") == TopicAddress(TopicKind.STATUS, "mm")


@given(st.text())
def test_a_name_never_holds_what_mqtt_or_a_file_system_gives_a_meaning(name: str) -> None:
    if is_name(name):
        assert not set(name) & set("+#/\\\0 \n$")
        assert name not in {".", ".."}
        assert len(name) <= 64
