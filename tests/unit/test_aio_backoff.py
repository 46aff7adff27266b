"""Pauses double up to a limit, vary, and begin again after something that lasted."""

from __future__ import annotations

from reconciler.aio import Backoff

FIRST_S, LONGEST_S, STABLE_S = 0.1, 30.0, 10.0


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff()
    full = [min(LONGEST_S, FIRST_S * 2**n) for n in range(12)]

    pauses = [backoff.next_s() for _ in full]

    assert all(whole / 2 <= pause <= whole for pause, whole in zip(pauses, full, strict=True))
    assert full[-1] == LONGEST_S


def test_two_clients_do_not_come_back_together() -> None:
    one, other = Backoff(), Backoff()

    assert [one.next_s() for _ in range(5)] != [other.next_s() for _ in range(5)]


def test_only_what_lasted_makes_the_next_pause_short_again() -> None:
    backoff = Backoff()
    for _ in range(20):
        backoff.next_s()

    backoff.lasted(STABLE_S / 2)
    still_long = backoff.next_s()
    backoff.lasted(STABLE_S)

    assert still_long >= LONGEST_S / 2
    assert backoff.next_s() <= FIRST_S
