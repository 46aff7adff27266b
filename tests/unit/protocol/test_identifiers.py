from __future__ import annotations

from reconciler.protocol.correlation import Identifiers


def test_names_differ_and_come_in_the_order_of_the_alphabet() -> None:
    ids = Identifiers("a1b2")

    names = [ids.new() for _ in range(5_000)]

    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert all(name.startswith("a1b2") for name in names)


def test_another_prefix_gives_no_name_again() -> None:
    one, two = Identifiers("a"), Identifiers("b")

    assert not {one.new() for _ in range(100)} & {two.new() for _ in range(100)}
