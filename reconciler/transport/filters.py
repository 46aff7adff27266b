"""
Topics and topic filters as MQTT defines them (MQTT 5, section 4.7). Pure.

Rule 1: a topic to publish to has no wildcard; in a filter `+` is one whole level and `#` is the last one.
Rule 2: `a/#` matches `a` too; a wildcard at the start matches no topic that starts with `$`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 65_535
"""Bytes of UTF-8 that a topic or a filter may have: its length travels in two bytes."""


def check_topic(topic: str) -> None:
    """Accept a topic that may be published to.

    Raises:
        ValueError: empty, too long, with a wildcard or a null character.
    """
    if not topic or "+" in topic or "#" in topic or _unsendable(topic):
        raise ValueError(f"{topic[:80]!r} is not a topic to publish to")


def check_filter(text: str) -> None:
    """Accept a topic filter that may be subscribed to (rule 1).

    Raises:
        ValueError: it breaks rule 1, is empty or too long, or has a null character.
    """
    *above, last = text.split("/")
    levels_ok = all(level == "+" or not set(level) & {"+", "#"} for level in above)
    last_ok = last in {"+", "#"} or not set(last) & {"+", "#"}
    if not text or not levels_ok or not last_ok or _unsendable(text):
        raise ValueError(f"{text[:80]!r} is not a topic filter")


def _unsendable(text: str) -> bool:
    return "\0" in text or len(text.encode()) > LONGEST


class FilterSet:
    """Several filters as one regular expression: a snapshot of 10,000 strategies matches it 10,000 times."""

    def __init__(self, filters: Iterable[str] = ()) -> None:
        alternatives = "|".join(_pattern(text) for text in filters)
        self._matches = re.compile(alternatives or r"(?!)", re.DOTALL).fullmatch

    def __contains__(self, topic: str) -> bool:
        return self._matches(topic) is not None


def _pattern(text: str) -> str:
    """One filter as a regular expression (rule 2)."""
    guard = r"(?!\$)" if text[0] in "+#" else ""
    if text == "#":
        return f"{guard}.*"
    parent = text.removesuffix("/#")
    levels = "/".join("[^/]*" if level == "+" else re.escape(level) for level in parent.split("/"))
    return f"{guard}{levels}" if parent == text else f"{guard}{levels}(?:/.*)?"
