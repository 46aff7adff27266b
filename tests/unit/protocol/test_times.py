from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.protocol.times import SKEW, expired, format_second, format_time, parse_time

TEN = datetime(2024, 3, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-20T10:00:00Z",
        "2024-03-20t10:00:00z",
        "2024-03-20 10:00:00+00:00",
        "2024-03-20T11:30:00+01:30",
        "2024-03-20T10:00:00.000000999Z",
        "2024-03-20T09:59:60Z",
    ],
)
def test_every_spelling_of_a_time_reads_as_the_same_moment(text: str) -> None:
    assert parse_time(text) == TEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-03-20",
        "2024-03-20T10:00:00",
        "2024-03-20T10:00Z",
        "2024-13-20T10:00:00Z",
        "2024-W12-3T10:00:00Z",
        "1710928800",
        "2024-03-20T10:00:00+99:00",
        "0001-01-01T00:00:00+23:00",
        "٢٠٢٤-03-20T10:00:00Z",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the standard library words some of them)
        parse_time(text)


@given(st.text())
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_time(text).utcoffset() == timedelta(0)


def test_a_time_is_written_as_the_given_notifications_show_it() -> None:
    assert format_time(TEN) == "2024-03-20T10:00:00Z"
    assert format_time(TEN.astimezone(timezone(timedelta(hours=2)))) == "2024-03-20T10:00:00Z"


def test_a_time_without_an_offset_is_not_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        format_time(datetime(2024, 3, 20))  # noqa: DTZ001  (that is the mistake)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_reads_back_to_the_second(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment.replace(microsecond=0)


def test_a_command_expires_only_after_the_skew_that_clocks_are_allowed() -> None:
    assert not expired(TEN, TEN + SKEW)
    assert expired(TEN, TEN + SKEW + timedelta(microseconds=1))


@given(st.integers(0, 253_402_300_799))
def test_a_second_is_written_as_the_moment_that_it_is(unix_s: int) -> None:
    assert format_second(unix_s) == format_time(datetime.fromtimestamp(unix_s, UTC))
