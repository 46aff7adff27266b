"""Topics and filters, by the rules and examples of MQTT 5, section 4.7."""

from __future__ import annotations

import pytest

from reconciler.transport.filters import FilterSet, check_filter, check_topic


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("bot/status", "bot/status"),
        ("bot/+", "bot/status"),
        ("bot/+", "bot/"),
        ("+/+", "bot/status"),
        ("bot/#", "bot/status/mm-btc"),
        ("bot/#", "bot"),
        ("bot/+/#", "bot/status"),
        ("#", "bot/status"),
        ("+", "bot"),
        ("/+", "/bot"),
        ("bot/a.c", "bot/a.c"),
        ("böt/+", "böt/日本\nx"),
        ("$SYS/#", "$SYS/uptime"),
    ],
)
def test_a_filter_covers(text: str, topic: str) -> None:
    check_filter(text)

    assert topic in FilterSet([text])


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("bot/+", "bot"),
        ("bot/+", "bot/status/mm-btc"),
        ("bot/#", "bots"),
        ("bot/a.c", "bot/abc"),
        ("bot", "Bot"),
        ("+", "/bot"),
        ("#", "$SYS/uptime"),
        ("+/uptime", "$SYS/uptime"),
    ],
)
def test_a_filter_does_not_cover(text: str, topic: str) -> None:
    assert topic not in FilterSet([text])


def test_of_several_filters_one_is_enough() -> None:
    filters = FilterSet(["a/+", "b/#", "c"])

    assert [topic in filters for topic in ("a/1", "b/1/2", "c", "d")] == [True, True, True, False]


def test_no_filter_covers_nothing() -> None:
    assert "" not in FilterSet()
    assert "a" not in FilterSet()


@pytest.mark.parametrize("text", ["", "a+", "a/b#", "#/a", "a/#/b", "+a/b", "a\0b", "a" * 65_536])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a topic filter"):
        check_filter(text)


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0b", "é" * 32_768])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="is not a topic"):
        check_topic(topic)
