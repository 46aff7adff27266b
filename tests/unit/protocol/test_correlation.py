from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.change import Op
from reconciler.protocol.correlation import Identifiers, ResponseMatcher
from reconciler.protocol.messages import Reply, ReplyMeta
from reconciler.protocol.topics import Topics

ROOT = Topics("hummingbot")
OTHER = Topics("desk")


def pending(*, basic: bool = False, request_id: str = "r1", topics: Topics = ROOT) -> ResponseMatcher:
    registry = ResponseMatcher()
    registry.register(request_id, Op.CREATE, "mm", basic=basic, response=topics.response)
    return registry


def success(**meta: Any) -> Reply:
    return Reply(status="success", meta=ReplyMeta(**meta) if meta else None)


def named(name: str) -> Reply:
    return Reply(status="success", data={"strategy_name": name, "strategy_id": "1"})


ERROR = Reply(status="error", error_code="INVALID_CONFIG")


def test_correlation_data_comes_first() -> None:
    registry = pending()
    registry.register("r2", Op.START, "eth", basic=False, response=ROOT.response)

    assert registry.match(success(request_id="r2"), b"r1", ROOT.reply_to("ctl")) == "r1"


def test_the_request_id_in_the_body_is_enough() -> None:
    assert pending().match(success(request_id="r1"), None, ROOT.response) == "r1"


def test_an_answer_without_either_is_the_basic_peers() -> None:
    assert pending(basic=True).match(ERROR, None, ROOT.response) == "r1"


def test_an_answer_without_either_is_no_agents() -> None:
    registry = pending()

    assert registry.match(ERROR, None, ROOT.response) is None
    assert registry.unmatched == 1


@pytest.mark.parametrize("correlation", [b"foreign", b"\xff\xfe"])
def test_an_answer_to_somebody_elses_request_is_not_the_basic_peers(correlation: bytes) -> None:
    registry = pending(basic=True)

    assert registry.match(ERROR, correlation, ROOT.response) is None
    assert registry.match(success(request_id="foreign"), None, ROOT.response) is None
    assert registry.unmatched == 2


def test_a_basic_success_that_names_another_strategy_is_not_a_match() -> None:
    registry = pending(basic=True)

    assert registry.match(named("eth"), None, ROOT.response) is None
    assert registry.match(named("mm"), None, ROOT.response) == "r1"


def test_a_basic_peer_of_another_root_answers_only_there() -> None:
    registry = pending(basic=True)
    registry.register("r2", Op.STOP, "eth", basic=True, response=OTHER.response)

    assert registry.match(ERROR, None, OTHER.response) == "r2"
    assert registry.match(ERROR, None, ROOT.response) == "r1"


def test_an_agents_answer_on_another_root_is_not_taken() -> None:
    assert pending().match(success(request_id="r1"), None, OTHER.response) is None


@pytest.mark.parametrize("contradiction", [{"op": "delete"}, {"strategy_name": "eth"}])
def test_an_answer_that_contradicts_its_request_is_not_taken(contradiction: dict[str, str]) -> None:
    assert pending().match(success(request_id="r1", **contradiction), None, ROOT.response) is None


@pytest.mark.parametrize(
    "data", [{"strategy_name": ["mm"]}, {"strategy_name": {"a": 1}}, {"strategy_name": 5}]
)
def test_a_name_that_is_none_does_not_match(data: dict[str, Any]) -> None:
    assert pending(basic=True).match(Reply(status="success", data=data), None, ROOT.response) is None


def test_a_double_answer_is_counted_and_not_matched() -> None:
    registry = pending()
    registry.match(success(request_id="r1"), None, ROOT.response)

    assert registry.match(success(request_id="r1"), None, ROOT.response) is None
    assert registry.unmatched == 1


def test_a_late_answer_is_counted_and_not_matched() -> None:
    registry = pending()
    registry.forget("r1")

    assert registry.match(success(request_id="r1"), b"r1", ROOT.response) is None
    assert registry.unmatched == 1


def test_an_accepted_command_still_waits_for_its_answer() -> None:
    registry = pending()

    assert registry.match(success(request_id="r1", phase="accepted"), None, ROOT.response) == "r1"
    assert registry.match(success(request_id="r1"), None, ROOT.response) == "r1"


def test_two_basic_commands_on_one_root_are_a_bug() -> None:
    with pytest.raises(ValueError, match="in flight"):
        pending(basic=True).register("r2", Op.STOP, "eth", basic=True, response=ROOT.response)


def test_a_basic_peer_is_free_again_after_its_answer() -> None:
    registry = pending(basic=True)
    registry.match(ERROR, None, ROOT.response)

    registry.register("r2", Op.STOP, "eth", basic=True, response=ROOT.response)

    assert registry.match(ERROR, None, ROOT.response) == "r2"


def test_names_differ_and_come_in_the_order_of_the_alphabet() -> None:
    ids = Identifiers("a1b2")

    names = [ids.new() for _ in range(5_000)]

    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert all(name.startswith("a1b2") for name in names)


def test_another_prefix_gives_no_name_again() -> None:
    one, two = Identifiers("a"), Identifiers("b")

    assert not {one.new() for _ in range(100)} & {two.new() for _ in range(100)}
