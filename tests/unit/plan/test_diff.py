"""What counts as a difference between two configs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import FieldChange
from reconciler.plan.diff import config_changes, keep_live, same_value


def changes(
    wanted: dict[str, Any], live: dict[str, Any], once: dict[str, Any] | None = None
) -> list[FieldChange]:
    return list(config_changes(wanted, live, once or {}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("0.10"), Decimal("0.1")),
        (1, Decimal("1.000")),
        (Decimal("0.1"), 0.1),
        (Decimal("0.1"), "0.10"),
        ("-2.5e-3", Decimal("-0.0025")),
        (10**20, Decimal("1E+20")),
        ([1, Decimal("2.0")], [Decimal(1), 2]),
        ({"a": {"b": 1}}, {"a": {"b": Decimal("1.0")}}),
        (None, None),
    ],
)
def test_values_that_mean_the_same_are_equal(one: Any, other: Any) -> None:
    assert same_value(one, other)
    assert same_value(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        (True, "1"),
        ("0.1", "0.10"),
        (None, 0),
        (None, ""),
        (0, ""),
        (1, "sNaN"),
        (1, "1_0"),
        (1, "1e99999999999999999999"),
        ([1], [1, 2]),
        ([1], 1),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"b": 1}),
        ({}, []),
    ],
)
def test_values_that_mean_something_else_are_not_equal(one: Any, other: Any) -> None:
    assert not same_value(one, other)
    assert not same_value(other, one)


def test_equal_configs_have_no_changes() -> None:
    config = {"spread": Decimal("0.1"), "pairs": ["a", {"b": [1, None, True]}], "deep": {"er": {"x": "y"}}}

    assert changes(config, {**config, "spread": Decimal("0.100")}) == []


def test_what_the_bot_filled_in_is_no_difference() -> None:
    wanted = {"spread": 1, "deep": {"a": 1}}

    assert changes(wanted, {"spread": 1, "default": 7, "deep": {"a": 1, "filled": 2}}) == []


def test_a_changed_field_has_both_values() -> None:
    assert changes({"spread": 2, "same": 1}, {"spread": 1, "same": 1}) == [FieldChange("config.spread", 1, 2)]


def test_a_field_that_is_not_there_is_added() -> None:
    assert changes({"spread": 2}, {}) == [FieldChange("config.spread", None, 2, added=True)]


def test_null_is_a_value_and_not_the_lack_of_one() -> None:
    assert changes({"spread": None}, {}) == [FieldChange("config.spread", None, None, added=True)]
    assert changes({"spread": None}, {"spread": None}) == []


def test_a_field_that_git_declared_once_is_removed() -> None:
    assert changes({}, {"spread": 1, "filled": 2}, {"spread": 1}) == [
        FieldChange("config.spread", 1, None, removed=True)
    ]


def test_a_field_that_is_gone_already_is_no_difference() -> None:
    assert changes({}, {}, {"spread": 1}) == []


def test_objects_are_compared_field_by_field() -> None:
    wanted = {"deep": {"a": {"x": 1}, "b": 2}}
    live = {"deep": {"a": {"x": 3}, "b": 2, "old": 4}}

    assert changes(wanted, live, {"deep": {"old": 4}}) == [
        FieldChange("config.deep.a.x", 3, 1),
        FieldChange("config.deep.old", 4, None, removed=True),
    ]


def test_a_list_of_plain_values_is_one_field() -> None:
    assert changes({"spreads": [1, 2]}, {"spreads": [1, 3]}) == [
        FieldChange("config.spreads", [1, 3], [1, 2])
    ]


def test_a_list_of_objects_is_compared_item_by_item() -> None:
    wanted = {"levels": [{"spread": 1}, {"spread": 2}]}
    live = {"levels": [{"spread": 1, "filled": 0}, {"spread": 5}]}

    assert changes(wanted, live) == [FieldChange("config.levels.1.spread", 5, 2)]


def test_lists_of_other_lengths_are_one_field() -> None:
    assert changes({"levels": [{"a": 1}]}, {"levels": []}) == [FieldChange("config.levels", [], [{"a": 1}])]


def test_another_kind_of_value_is_one_field() -> None:
    assert changes({"deep": {"a": 1}}, {"deep": "flat"}) == [FieldChange("config.deep", "flat", {"a": 1})]


def test_a_switch_is_not_a_number() -> None:
    assert changes({"on": True}, {"on": 1}) == [FieldChange("config.on", 1, after=True)]


@pytest.mark.parametrize(
    ("wanted", "live", "differing"),
    [
        ({"a": True, "b": 1}, {"b": True, "a": 1}, 2),
        ({"a": 0, "b": 2}, {"a": False, "b": 2}, 1),
        ({"a": [True]}, {"a": [1]}, 1),
        ({"a": {"b": 1}}, {"a": {"b": True}}, 1),
        ({"a": Decimal(1), "b": 1}, {"a": 1, "b": Decimal(1)}, 0),
        ({"b": 1, "a": "x"}, {"a": "x", "b": 1}, 0),
    ],
)
def test_what_python_takes_for_equal_is_looked_at_closely(wanted, live, differing: int) -> None:
    assert wanted == live
    assert len(changes(wanted, live)) == differing


@pytest.mark.parametrize("path", ["config.amount", "amount"])
def test_an_ignored_field_keeps_its_live_value(path: str) -> None:
    assert keep_live({"amount": 1, "spread": 2}, {"amount": 5}, {"amount": 1}, path) == {
        "amount": 5,
        "spread": 2,
    }


def test_an_ignored_field_follows_git_when_git_changes_it() -> None:
    assert keep_live({"amount": 2}, {"amount": 5}, {"amount": 1}, "config.amount") == {"amount": 2}


def test_an_ignored_field_that_is_new_in_git_is_applied() -> None:
    assert keep_live({"amount": 2}, {"amount": 5}, {}, "config.amount") == {"amount": 2}


def test_without_memory_an_ignored_field_keeps_its_live_value() -> None:
    assert keep_live({"amount": 2}, {"amount": 5}, None, "config.amount") == {"amount": 5}


def test_an_ignored_field_may_be_deep_or_gone_or_never_declared() -> None:
    wanted = {"deep": {"a": 1, "b": 2}}

    assert keep_live(wanted, {"deep": {"a": 9}}, wanted, "config.deep.a") == {"deep": {"a": 9, "b": 2}}
    assert keep_live(wanted, {"deep": {}}, wanted, "config.deep.a") == {"deep": {"b": 2}}
    assert keep_live(wanted, {"other": 1}, wanted, "config.other") == wanted
    assert wanted == {"deep": {"a": 1, "b": 2}}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab.", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
configs = st.dictionaries(st.text("abc", min_size=1, max_size=2), json_values, max_size=4)


@given(configs)
def test_a_config_never_differs_from_itself(config: dict[str, Any]) -> None:
    assert changes(config, dict(config), config) == []


@given(configs, configs)
def test_no_changes_means_that_all_that_is_declared_is_there(
    wanted: dict[str, Any], live: dict[str, Any]
) -> None:
    declared = {key: live.get(key, "absent") for key in wanted}
    plain = all(not isinstance(value, dict | list) for value in declared.values())

    if plain:
        assert (changes(wanted, live) == []) == same_value(wanted, declared)
