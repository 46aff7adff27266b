"""What the inventory remembers of a strategy, and when that is all that there is to remember."""

from __future__ import annotations

import msgspec

from reconciler.model.spec import Wish
from tests.support.plan_builders import entry_of, spec, with_config


def test_an_entry_of_a_spec_that_was_reached_says_it_all() -> None:
    assert entry_of(spec(), reached=True).matches(spec())


def test_an_entry_of_another_spec_or_state_does_not() -> None:
    known = entry_of(spec(), reached=True)

    assert not known.matches(with_config(bid_spread=None))
    assert not known.matches(spec(state=Wish.PAUSED))
    assert not entry_of(spec()).matches(spec())


def test_leave_to_try_again_ends_when_there_is_nothing_to_try() -> None:
    """Else it would start the bot again after its next kill switch, which nobody has seen yet."""
    known = msgspec.structs.replace(entry_of(spec(), reached=True), retry=True)

    assert not known.matches(spec())
