"""The tree as a whole: names, duplicates, targets; and that an invalid or empty tree never means "nothing"."""

from __future__ import annotations

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.desired import amend, make_desired
from reconciler.errors import InvalidFiles
from reconciler.model.spec import Key
from reconciler.sources.check import check

BODY = (
    "strategy_type: pure_market_making\nexchange: binance\ntrading_pair: BTC-USDT\n"
    "config: {bid_spread: 0.1, ask_spread: 0.1, order_amount: 1, order_refresh_time: 30}\n"
)


def desired(files: dict[str, str], *, targets=("default",), on_invalid="reject", allow_empty=False):
    checked = [(path, check(text.encode(), path, load_catalog())) for path, text in files.items()]
    return make_desired(
        checked, commit="c", ref="main", targets=targets, on_invalid=on_invalid, allow_empty=allow_empty
    )


def refused(files: dict[str, str], **more):
    with pytest.raises(InvalidFiles) as error:
        desired(files, **more)
    return error.value.problems


def names(result) -> list[str]:
    return sorted(str(key) for key in result.specs)


def test_a_strategy_is_called_as_its_file_unless_it_says_otherwise() -> None:
    result = desired({"s/btc.yaml": BODY, "s/x.yaml": f"strategy_name: eth\n{BODY}"})

    assert names(result) == ["btc", "eth"]


def test_two_nameless_documents_in_one_file_are_refused() -> None:
    (problem, *_) = refused({"s/btc.yaml": f"{BODY}---\n{BODY}"})

    assert "two documents would be called btc" in problem.what


def test_one_nameless_document_may_stand_next_to_named_ones() -> None:
    assert names(desired({"s/btc.yaml": f"{BODY}---\nstrategy_name: eth\n{BODY}"})) == ["btc", "eth"]


def test_the_same_name_twice_is_reported_at_both_places() -> None:
    problems = refused({"s/a.yaml": f"strategy_name: x\n{BODY}", "s/x.yaml": BODY})

    assert [(str(problem.location), problem.what) for problem in problems] == [
        ("s/a.yaml:1", "strategy x stands in s/x.yaml:1 too"),
        ("s/x.yaml:1", "strategy x stands in s/a.yaml:1 too"),
    ]


def test_the_same_name_on_two_targets_is_two_strategies() -> None:
    result = desired({"a/x.yaml": BODY, "b/x.yaml": f"target: eu\n{BODY}"}, targets=("default", "eu"))

    assert names(result) == ["eu/x", "x"]


def test_an_unknown_target_is_refused_with_the_known_ones() -> None:
    (problem,) = refused({"x.yaml": f"target: moon\n{BODY}"})

    assert "there is no target 'moon'" in problem.what
    assert "default" in problem.fix


def test_a_file_whose_name_cannot_name_a_strategy_is_refused() -> None:
    (problem,) = refused({"s/btc maker.yaml": BODY})

    assert "'btc maker' is not an allowed name" in problem.what


def test_an_empty_tree_does_not_mean_that_nothing_is_wanted() -> None:
    (problem,) = refused({})

    assert "the tree is empty" in problem.what
    assert names(desired({}, allow_empty=True)) == []


def test_one_bad_file_refuses_the_commit() -> None:
    assert refused({"a.yaml": BODY, "b.yaml": BODY + "stat: x\n"})


def test_skipping_leaves_the_strategy_of_a_bad_file_alone() -> None:
    result = desired({"a.yaml": BODY, "b.yaml": BODY + "stat: x\n"}, on_invalid="skip")

    assert names(result) == ["a"]
    assert result.held == {Key("default", "b")}
    assert result.problems


def test_a_bad_file_is_held_on_every_target_as_it_cannot_say_which() -> None:
    result = desired({"a.yaml": BODY, "b.yaml": "{"}, on_invalid="skip", targets=("default", "eu"))

    assert result.held == {Key("default", "b"), Key("eu", "b")}


def test_of_two_with_one_name_neither_is_applied_when_skipping() -> None:
    result = desired(
        {"a.yaml": f"strategy_name: x\n{BODY}", "x.yaml": BODY, "y.yaml": BODY}, on_invalid="skip"
    )

    assert names(result) == ["y"]
    assert Key("default", "x") in result.held


def test_of_three_with_one_name_none_is_applied_when_skipping() -> None:
    files = {f"{stem}.yaml": f"strategy_name: x\n{BODY}" for stem in "abc"}

    result = desired(files | {"y.yaml": BODY}, on_invalid="skip")

    assert names(result) == ["y"]


@pytest.mark.parametrize("broken", ["a/x.yaml", "c/x.yaml"])
def test_what_a_bad_file_may_mean_is_left_alone_whichever_file_comes_first(broken: str) -> None:
    result = desired({broken: BODY + "wave: x\n", "b/x.yaml": BODY, "y.yaml": BODY}, on_invalid="skip")

    assert names(result) == ["y"]
    assert Key("default", "x") in result.held


def test_a_bad_file_is_skipped_as_a_whole() -> None:
    text = f"strategy_name: one\n{BODY}---\nstrategy_name: two\nstate: x\n{BODY}"

    result = desired({"pair.yaml": text, "y.yaml": BODY}, on_invalid="skip")

    assert names(result) == ["y"]
    assert result.held == {Key("default", "one"), Key("default", "two")}
    assert not result.unsure


@pytest.mark.parametrize(
    "text",
    [
        f"strategy_nam: eth\n{BODY}",
        f"strategy_name: e th\n{BODY}",
        f"strategy_name: eth\n{BODY}oops: [\n",
        f"{BODY}---\n{BODY}",
        "",
    ],
    ids=["name mistyped", "name not allowed", "no YAML", "two without a name", "moved out of sight"],
)
def test_while_a_file_does_not_name_its_strategies_nothing_counts_as_removed(text: str) -> None:
    path = "desk.yaml" if text else "my desk.yaml"

    result = desired({"y.yaml": BODY, path: text or BODY}, on_invalid="skip")

    assert names(result) == ["y"]
    assert result.unsure


@pytest.mark.parametrize("line", ["state: x\n", "wave: x\n", "target: moon\n"])
def test_a_bad_file_that_names_its_strategy_holds_up_no_other(line: str) -> None:
    assert not desired({"y.yaml": BODY, "x.yaml": BODY + line}, on_invalid="skip").unsure


def test_a_strategy_of_an_unknown_target_is_not_applied_when_skipping() -> None:
    result = desired({"y.yaml": BODY, "x.yaml": BODY + "target: moon\n"}, on_invalid="skip")

    assert names(result) == ["y"]
    assert result.held == {Key("default", "x")}


def test_a_tree_with_nothing_good_is_refused_even_when_skipping() -> None:
    assert refused({"s/a b.yaml": BODY}, targets=(), on_invalid="skip")


def test_warnings_do_not_refuse_but_are_kept() -> None:
    result = desired({"a.yaml": BODY.replace(", order_refresh_time: 30", "")})

    assert [problem.severity for problem in result.problems] == ["warning"]


def amended(before_files: dict[str, str], changed: dict[str, str]):
    before = desired(before_files)
    files = [(path, check(text.encode(), path, load_catalog())) for path, text in changed.items()]
    return amend(before, files, commit="c")


def test_a_changed_file_alone_gives_what_the_whole_tree_would() -> None:
    files = {"s/a.yaml": BODY, "s/b.yaml": BODY}
    changed = {"s/b.yaml": BODY + "wave: 3\n"}

    assert amended(files, changed) == desired(files | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"s/a.yaml": "strategy_name: b\n" + BODY},
        {"s/a.yaml": BODY + "target: eu\n"},
        {"s/a.yaml": BODY + "stat: x\n"},
        {"s/a.yaml": f"{BODY}---\n{BODY}"},
        {"s/new.yaml": BODY},
    ],
)
def test_whatever_may_concern_other_files_takes_a_look_at_the_whole_tree(changed) -> None:
    assert amended({"s/a.yaml": BODY, "s/b.yaml": BODY}, changed) is None
