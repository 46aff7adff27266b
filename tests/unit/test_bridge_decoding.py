"""What a bot's bridge sends, read as it is meant (reconciler/agent/hummingbot/bridge.py)."""

from __future__ import annotations

import pytest

from reconciler.agent.hummingbot.bridge import decode


@pytest.mark.parametrize("bare", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_no_number(bare: str) -> None:
    assert decode(f'{{"pnl": [{bare}, 1.5]}}'.encode()) == {"pnl": [None, 1.5]}


def test_negative_integers_that_came_as_text_are_numbers_again() -> None:
    assert decode(b'{"levels": ["-12", 3], "inner": {"count": "-1"}}') == {
        "levels": [-12, 3],
        "inner": {"count": -1},
    }


@pytest.mark.parametrize("text", ["-", "--1", "-1.5", "1", "-1 of 3", ""])
def test_other_text_stays_text(text: str) -> None:
    assert decode(f'{{"msg": "{text}"}}'.encode()) == {"msg": text}


@pytest.mark.parametrize("payload", [b"", b"{", b"nan", b"\xff\xfe", b"offline"])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever json says of it)
        decode(payload)
