"""What the fuzz found in the reader and the checker, each as a case of its own, and what came of it."""

from __future__ import annotations

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Problem
from reconciler.sources.check import check
from reconciler.sources.yaml.document import LINE

HEAD = "strategy_type: pure_market_making\nexchange: binance\ntrading_pair: BTC-USDT\n"
CONFIG = "config: {bid_spread: 0.1, ask_spread: 0.1, order_amount: 1, order_refresh_time: 30}\n"


def problems(text: str) -> tuple[Problem, ...]:
    return check(text.encode(), "f.yaml", load_catalog()).problems


def test_a_file_that_ends_too_early_says_so() -> None:
    assert problems("a: {")[0].what == "not YAML: the file ends where a value should stand"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[", (1, 2)),
        ("a: 1\nb: {", (2, 5)),
        ("a: 1\nb: {\n", (2, 5)),
        ("a: 1\r\nb: [1,\r\n\r\n", (2, 7)),
        ("a: !", (1, 4)),
        ("\n? config", (2, 1)),
        ("? 1\n? 2\n\n", (1, 3)),
        ("a: 'x\n  y", (1, 4)),
        ("a: 1\u2028b: [", (2, 5)),
    ],
)
def test_a_file_that_ends_too_early_has_its_problem_within_the_file(text: str, place) -> None:
    found = problems(text)[0]

    assert found.location.line <= len(text.splitlines())
    assert (found.location.line, found.location.column) == place


@pytest.mark.parametrize(
    "text",
    [
        '"a\\n::error::b": 1\n',
        '"\\e[31mred": 1\n',
        HEAD + CONFIG + 'labels: {"a\\nb": 1}\n',
        HEAD + CONFIG + 'ignore_drift: ["config.x\\u2028y"]\n',
        HEAD + CONFIG + "ignore_drift:\n  - config.bid_sprea\u20280\n",
        "\U000d9e87: 1\n",
        "\u202etxet: *x\n",
        "a: \U000e0001",
    ],
)
def test_a_message_is_one_line_that_colours_and_commands_nothing(text: str) -> None:
    found = problems(text)

    assert found
    assert [
        word for each in found for word in (each.path, each.what, each.fix) if not word.isprintable()
    ] == []


def test_a_value_that_is_missing_at_the_end_of_a_file_has_its_place_within_the_file() -> None:
    found = problems(HEAD + "? config")

    assert ("config", (4, 9)) in {(each.path, (each.location.line, each.location.column)) for each in found}


def test_an_escaped_name_can_still_be_distinguished_from_others() -> None:
    assert r"a\nb" in {each.path for each in problems('"a\\nb": 1\n')}
    assert "größe" in {each.path for each in problems("größe: 1\n")}


@pytest.mark.parametrize(
    "text",
    [
        HEAD + CONFIG + f"suspend: {{reason: a, until: {'x' * 5000}}}\n",
        HEAD + f"config: {{order_amount: {'9' * 5000}%}}\n",
        HEAD + CONFIG + f"ignore_drift: [config.order_amount.{'x' * 5000}, config.{'y' * 5000}]\n",
        HEAD.replace("pure", "p" * 5000) + CONFIG,
        f"a: 1_{'0' * 5000}\n",
        f"a: &{'x' * 5000} 1\n",
    ],
)
def test_a_message_has_an_end_whatever_a_file_brings_into_it(text: str) -> None:
    found = problems(text)

    assert found
    assert max(len(word) for each in found for word in (each.what, each.fix)) <= LINE
